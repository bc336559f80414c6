#!/usr/bin/env bash
# LJSpeech: ESPnet's own data preparation and teacher.
set -euo pipefail

. ./db.sh
./distill.sh \
    --ngpu 1 \
    --nj 8 \
    --inference_nj 8 \
    --fs 22050 \
    --train_set tr_no_dev \
    --valid_set dev \
    --test_sets eval1 \
    --tts_opts "--audio_format wav" \
    --align_steps 4000 \
    --teacher hub:espnet/kan-bayashi_ljspeech_conformer_fastspeech2 \
    --teacher_stats true \
    --teacher_config conf/espnet/tuning/train_conformer_fastspeech2.yaml \
    "$@"
