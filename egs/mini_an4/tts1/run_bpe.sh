#!/usr/bin/env bash
# Teacher and student with sentencepiece tokens; stage 1 trains the sentencepiece model.
set -euo pipefail

./run.sh \
    --token_type bpe \
    --nbpe 24 \
    --expdir exp/bpe \
    "$@"
