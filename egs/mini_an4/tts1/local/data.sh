#!/usr/bin/env bash
# mini_an4 from the archive in ESPnet's recipe tree; its SPHERE files become wav.
# Writes data/{train,dev,test}, where the first training clip validates; and of all five
# speakers data/train_speakers, a clip of each, and data/{dev_speakers,test_fash,test_mwhw}.

set -euo pipefail

. ./path.sh

archive=$(espnet-distill espnet-root)/egs2/mini_an4/tts1/downloads.tar.gz
if [ ! -e downloads ]; then
    tar -xzf "${archive}"
fi

mkdir -p data/all data/test data/speakers
python3 local/list_clips.py downloads/an4 train data/all
python3 local/list_clips.py downloads/an4 test data/test
for name in text wav.scp utt2spk; do
    sort data/all/${name} data/test/${name} > data/speakers/${name}
done
for name in all test speakers; do
    utils/utt2spk_to_spk2utt.pl data/${name}/utt2spk > data/${name}/spk2utt
done
num_train=$(($(wc -l < data/all/text) - 1))
utils/subset_data_dir.sh --first data/all 1 data/dev
utils/subset_data_dir.sh --last data/all ${num_train} data/train

held_out="fash-an251-b mwhw-an152-b"
grep -vwE "${held_out// /|}" data/speakers/text > data/speakers/train_utts
utils/subset_data_dir.sh --utt-list data/speakers/train_utts data/speakers data/train_speakers
utils/subset_data_dir.sh --utt-list <(printf "%s\n" ${held_out}) data/speakers data/dev_speakers
for name in ${held_out}; do
    speaker=${name%%-*}
    utils/subset_data_dir.sh --utt-list <(echo "${name}") data/speakers "data/test_${speaker}"
done
