#!/usr/bin/env bash
# VCTK 0.92: 110 speakers of English read about 400 sentences each.
# Writes data/{train,dev,eval}: of each speaker, the last 5 sentences are held out, the 5
# before them validate.

set -euo pipefail

. ./path.sh
. ./db.sh

if [ ! -d "${VCTK}/wav48_silence_trimmed" ]; then
    echo "local/data.sh: ${VCTK}: no wav48_silence_trimmed in it: name the corpus in db.sh (VCTK=...)" >&2
    exit 2
fi
python3 local/list_clips.py "${VCTK}" data --num_dev "${num_dev:-5}" --num_eval "${num_eval:-5}"
for name in train dev eval; do
    utils/utt2spk_to_spk2utt.pl data/${name}/utt2spk > data/${name}/spk2utt
done
espnet-distill prepare-text --language en data/train data/dev data/eval
