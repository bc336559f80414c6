#!/usr/bin/env bash
# Kathleen: real speech, one speaker, 22.05 kHz, HiFi-GAN's mels.
set -euo pipefail

./distill.sh \
    --fs 22050 \
    --n_fft 1024 \
    --n_shift 256 \
    --fmin 0 \
    --fmax 8000 \
    --train_set train \
    --valid_set dev \
    --test_sets eval \
    --teacher pretrained/teacher.zip \
    --student fastspeech2_small \
    --warm_start true \
    "$@"
