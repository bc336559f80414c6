#!/usr/bin/env bash
# The demo: hibari-tts synthesizes a corpus, a trained ESPnet teacher is distilled on it, and
# both use a vocoder that was distilled on hibari's speech.
set -euo pipefail

./distill.sh \
    --fs 24000 \
    --n_fft 2048 \
    --n_shift 300 \
    --win_length 1200 \
    --train_set train \
    --valid_set dev \
    --test_sets eval \
    --align_steps 350 \
    --teacher pretrained/teacher.zip \
    --vocoder_file pretrained/vocoder/model.pth \
    --evaldir exp/demo \
    "$@"
