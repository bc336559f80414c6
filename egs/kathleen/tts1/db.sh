# Where the corpus is: a folder in LJSpeech's layout (metadata.csv with lines
# "id|text|text", and wavs/), or a clone of rhasspy/dataset-voice-kathleen.
# If it does not exist, it is cloned there.
KATHLEEN=${KATHLEEN:-downloads/dataset-voice-kathleen}
