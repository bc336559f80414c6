#!/usr/bin/env bash
# Distill a teacher of this recipe into a small student, with espnet_distill.
# Written by `espnet-distill init`; edit the values below as needed.
set -euo pipefail

@found@
stage=@stage@  # 1 prepares the data, by local/data.sh

. ./path.sh
template=$(espnet-distill template)
bash "${template}/distill.sh" \
    --stage "${stage}" \
    --teacher "${teacher}" \
    --student_config conf/distill/train_student.yaml \
    --objectives_config "" \
@options@
    "$@"
