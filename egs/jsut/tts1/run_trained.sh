#!/usr/bin/env bash
# JSUT, or its stand-in, with a teacher that is trained here: 22.05 kHz, HiFi-GAN's mels.
set -euo pipefail

./distill.sh \
    --fs 22050 \
    --n_fft 1024 \
    --n_shift 256 \
    --fmin 0 \
    --fmax 8000 \
    --g2p pyopenjtalk_prosody \
    --train_set tr_no_dev \
    --valid_set dev \
    --test_sets eval1 \
    --train_teacher true \
    --student fastspeech2_small \
    --warm_start true \
    "$@"
