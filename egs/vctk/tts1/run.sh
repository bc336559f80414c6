#!/usr/bin/env bash
# VCTK: real speech, 109 speakers by their speaker embeddings, 22.05 kHz, HiFi-GAN's mels.
set -euo pipefail

./distill.sh \
    --fs 22050 \
    --n_fft 1024 \
    --n_shift 256 \
    --fmin 0 \
    --fmax 8000 \
    --f0min 60 \
    --train_set train \
    --valid_set dev \
    --test_sets eval \
    --tts_opts "--use_spk_embed true --spk_embed_tool resemblyzer --spk_embed_tag xvector" \
    --train_teacher true \
    --student fastspeech2_base \
    "$@"
