#!/usr/bin/env bash
# JSUT: one speaker, 48 kHz. Writes data/{eval1,dev,tr_no_dev} as ESPnet's recipe does: the
# first 250 utterances are the test set, the next 250 validate. Of a smaller corpus these
# are a sixth and a twelfth.

set -euo pipefail

archive=http://ss-takashi.sakura.ne.jp/corpus/jsut_ver1.1.zip

. ./path.sh
. ./db.sh

at_most() {  # at_most N LIMIT
    echo $(($1 < $2 ? $1 : $2))
}

if [ ! -e "${JSUT}" ]; then
    echo "local/data.sh: fetching ${archive} into ${JSUT} (2.7 GB)"
    part=${JSUT}.part
    mkdir -p "${part}"
    if ! { curl -fL "${archive}" -o "${part}/jsut.zip" \
        && python3 -m zipfile -e "${part}/jsut.zip" "${part}" \
        && mv "${part}/jsut_ver1.1" "${JSUT}"; }; then
        echo "local/data.sh: no corpus: name its folder in db.sh (JSUT=...)" >&2
        exit 2
    fi
    rm -r "${part}"
fi

mkdir -p data/all
python3 -m espnet_distill local/list_clips.py "${JSUT}" data/all
utils/utt2spk_to_spk2utt.pl data/all/utt2spk > data/all/spk2utt

num_all=$(wc -l < data/all/text)
num_eval=$(at_most $((num_all / 6)) 250)
num_dev=$(at_most $((num_all / 12)) 250)
if [ "${num_dev}" -eq 0 ]; then
    echo "local/data.sh: ${JSUT} has only ${num_all} recordings" >&2
    exit 2
fi
num_held_out=$((num_eval + num_dev))
utils/subset_data_dir.sh --first data/all ${num_held_out} data/held_out
utils/subset_data_dir.sh --first data/held_out ${num_eval} data/eval1
utils/subset_data_dir.sh --last data/held_out ${num_dev} data/dev
utils/subset_data_dir.sh --last data/all $((num_all - num_held_out)) data/tr_no_dev
