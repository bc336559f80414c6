#!/usr/bin/env bash
# @name@: one speaker, @clips@ clips, @hours@ h, language @language@.
# Written by `espnet-distill new-recipe`; edit the values below as needed.
set -euo pipefail

. ./path.sh
template=$(espnet-distill template)
bash "${template}/distill.sh" \
@options@
    --train_set train \
    --valid_set dev \
    --test_sets eval \
    --teacher exp/teacher \
    --student @student@ \
    --warm_start true \
    --vocoder_preset harmonic_istft_small \
    --vocoder_speech recordings \
    "$@"
