#!/usr/bin/env bash
# ESPnet's smoke corpus, eight clips, through every stage with tiny models.
set -euo pipefail

./distill.sh \
    --fs 16000 \
    --token_type char \
    --cleaner none \
    --g2p none \
    --language en \
    --train_set train \
    --valid_set dev \
    --test_sets test \
    --align_steps 20 \
    --train_teacher true \
    "$@"
