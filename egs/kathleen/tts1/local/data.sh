#!/usr/bin/env bash
# Kathleen (CC0): one speaker reads the 1132 CMU ARCTIC prompts.
# Writes data/{train,dev,eval}: the last 113 prompts are held out, the 32 before
# them validate.

set -euo pipefail

repository=https://github.com/rhasspy/dataset-voice-kathleen
num_eval=113
num_dev=32

. ./path.sh
. ./db.sh

if [ ! -e "${KATHLEEN}" ]; then
    echo "local/data.sh: cloning ${repository} into ${KATHLEEN} (1.1 GB)"
    git clone --depth 1 "${repository}" "${KATHLEEN}.part" && mv "${KATHLEEN}.part" "${KATHLEEN}" || {
        echo "local/data.sh: no corpus: name its folder in db.sh (KATHLEEN=...)" >&2
        exit 2
    }
fi

mkdir -p data/all
espnet-distill list-clips "${KATHLEEN}" data/all --speaker kathleen
utils/utt2spk_to_spk2utt.pl data/all/utt2spk > data/all/spk2utt

num_all=$(wc -l < data/all/text)
if [ "${num_all}" -le $((num_eval + num_dev)) ]; then
    echo "local/data.sh: ${KATHLEEN} has only ${num_all} clips" >&2
    exit 2
fi
utils/subset_data_dir.sh --last data/all ${num_eval} data/eval
utils/subset_data_dir.sh --first data/all $((num_all - num_eval)) data/rest
utils/subset_data_dir.sh --last data/rest ${num_dev} data/dev
utils/subset_data_dir.sh --first data/rest $((num_all - num_eval - num_dev)) data/train
espnet-distill prepare-text --language en data/train data/dev data/eval
