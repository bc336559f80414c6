#!/usr/bin/env bash
# JSUT with a teacher of the model zoo, which names mels, tokens, g2p and cleaner.
set -euo pipefail

./distill.sh \
    --ngpu 1 \
    --nj 8 \
    --inference_nj 8 \
    --train_set tr_no_dev \
    --valid_set dev \
    --test_sets eval1 \
    --align_steps 2000 \
    --teacher hub:espnet/kan-bayashi_jsut_conformer_fastspeech2_tacotron2_prosody \
    --teacher_stats true \
    --student fastspeech2_small \
    --student_config conf/train_student_zoo.yaml \
    "$@"
