#!/usr/bin/env bash
# Sentences, their phonemes, and for those of the test the speech of the Piper voice.
# Writes data/{train,dev,eval}: the last 48 sentences are held out, the 16 before them
# validate.

set -euo pipefail

. ./path.sh
. ./db.sh

python3 local/write_data.py "${PIPER_VOICE}" data "${PROMPTS}" ${MORE_PROMPTS:+"${MORE_PROMPTS}"} \
    ${PIPER_SPEAKER:+--speaker "${PIPER_SPEAKER}"}
for name in train dev eval; do
    utils/utt2spk_to_spk2utt.pl data/${name}/utt2spk > data/${name}/spk2utt
done
