#!/usr/bin/env bash
# hibari-tts synthesizes local/prompts.txt: an ESPnet corpus of a black-box voice.
# Writes data/{train,dev,eval}: the last 48 sentences are held out, the 16 before
# them validate. MORE_PROMPTS names a file of further sentences for training,
# one `<id> <sentence>` a line.

set -euo pipefail

num_eval=48
num_dev=16

. ./path.sh

mkdir -p data/all
python3 local/synthesize.py local/prompts.txt downloads data/all
utils/utt2spk_to_spk2utt.pl data/all/utt2spk > data/all/spk2utt

num_train=$(($(wc -l < data/all/text) - num_eval - num_dev))
utils/subset_data_dir.sh --last data/all ${num_eval} data/eval
utils/subset_data_dir.sh --first data/all $((num_train + num_dev)) data/rest
utils/subset_data_dir.sh --last data/rest ${num_dev} data/dev
utils/subset_data_dir.sh --first data/rest ${num_train} data/train
if [ -n "${MORE_PROMPTS:-}" ]; then
    mkdir -p data/more
    python3 local/synthesize.py "${MORE_PROMPTS}" downloads data/more
    utils/utt2spk_to_spk2utt.pl data/more/utt2spk > data/more/spk2utt
    utils/combine_data.sh data/both data/train data/more
    utils/copy_data_dir.sh data/both data/train
fi
espnet-distill prepare-text --language en data/train data/dev data/eval
