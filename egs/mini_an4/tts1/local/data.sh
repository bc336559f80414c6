#!/usr/bin/env bash
# mini_an4 from the archive in ESPnet's recipe tree; its SPHERE files become wav.
# Writes data/{train,dev,test}: the first training clip validates.

set -euo pipefail

. ./path.sh

archive=$(espnet-distill espnet-root)/egs2/mini_an4/tts1/downloads.tar.gz
if [ ! -e downloads ]; then
    tar -xzf "${archive}"
fi

mkdir -p data/all data/test
python3 local/list_clips.py downloads/an4 train data/all
python3 local/list_clips.py downloads/an4 test data/test
for name in all test; do
    utils/utt2spk_to_spk2utt.pl data/${name}/utt2spk > data/${name}/spk2utt
done
num_train=$(($(wc -l < data/all/text) - 1))
utils/subset_data_dir.sh --first data/all 1 data/dev
utils/subset_data_dir.sh --last data/all ${num_train} data/train
