#!/usr/bin/env bash
# Teacher and student of five speakers, with speaker ids. Sets of one speaker each are
# synthesized, and the first is evaluated.
set -euo pipefail

./run.sh \
    --train_set train_speakers \
    --valid_set dev_speakers \
    --test_sets "test_fash test_mwhw" \
    --tts_opts "--use_sid true" \
    --teacher_config conf/tuning/train_teacher_multispeaker.yaml \
    --student_config conf/tuning/train_student_multispeaker.yaml \
    --dumpdir dump/speakers \
    --expdir exp/speakers \
    "$@"
