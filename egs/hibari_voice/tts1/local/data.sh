#!/usr/bin/env bash
# Sentences and their phonemes, and for those of the test the speech of hibari-tts.
# Writes data/{train,dev,eval}: the last 48 sentences of the demo and 162 of WordNet are
# held out, the 16 before the 48 validate; the others and NUM_SENTENCES of WordNet train.

set -euo pipefail

. ./path.sh
. ./db.sh

demo=../../hibari/tts1/local
mkdir -p downloads/{held_out,demo}
python3 local/wordnet.py "${WORDNET}" downloads/sentences downloads/held_out/text
cp "${demo}/prompts.txt" downloads/demo/text
espnet-distill select-text downloads/sentences downloads/selected --num "${NUM_SENTENCES}" \
    --g2p espeak_ng_english_us_vits --exclude downloads/demo downloads/held_out
tail -n 48 downloads/demo/text | cat - downloads/held_out/text > downloads/eval
head -n -48 downloads/demo/text | tail -n 16 > downloads/dev
head -n -64 downloads/demo/text | cat - downloads/selected > downloads/train

python3 "${demo}/synthesize.py" downloads/eval downloads/wav data/eval
python3 local/write_data.py downloads/dev data/dev
python3 local/write_data.py downloads/train data/train
for name in train dev eval; do
    utils/utt2spk_to_spk2utt.pl data/${name}/utt2spk > data/${name}/spk2utt
done
espnet-distill prepare-text --language en data/train data/dev data/eval
