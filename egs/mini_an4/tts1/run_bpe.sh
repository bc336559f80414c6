#!/usr/bin/env bash
# Teacher and student that read the pieces of a sentencepiece model, trained in stage 1.
set -euo pipefail

./run.sh \
    --token_type bpe \
    --nbpe 24 \
    --expdir exp/bpe \
    "$@"
