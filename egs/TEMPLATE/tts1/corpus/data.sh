#!/usr/bin/env bash
# Writes data/{train,dev,eval}: the last clips are held out, those before them validate.

set -euo pipefail

num_eval=@num_eval@
num_dev=@num_dev@

. ./path.sh
. ./db.sh

mkdir -p data/all
espnet-distill list-clips "${METADATA}" data/all --wavs "${WAVS}" --speaker @speaker@
utils/utt2spk_to_spk2utt.pl data/all/utt2spk > data/all/spk2utt

num_all=$(wc -l < data/all/text)
num_train=$((num_all - num_eval - num_dev))
if [ "${num_train}" -lt 1 ]; then
    echo "local/data.sh: ${METADATA} has only ${num_all} clips" >&2
    exit 2
fi
utils/subset_data_dir.sh --last data/all ${num_eval} data/eval
utils/subset_data_dir.sh --first data/all $((num_train + num_dev)) data/rest
utils/subset_data_dir.sh --last data/rest ${num_dev} data/dev
utils/subset_data_dir.sh --first data/rest ${num_train} data/train
espnet-distill prepare-text @prepare@ data/train data/dev data/eval
