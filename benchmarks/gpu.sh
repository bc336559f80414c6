#!/usr/bin/env bash
# Run every stage of egs/mini_an4 on a GPU, then measure the cost of a training step.
#   benchmarks/gpu.sh
#   benchmarks/gpu.sh --ngpu 0 --quick    # on the CPU, with fewer steps
set -euo pipefail

ngpu=1
if [ "${1:-}" = --ngpu ]; then
    ngpu=$2
    shift 2
fi
root=$(cd "$(dirname "$0")/.." && pwd)
device=cpu
[ "${ngpu}" -eq 0 ] || device=cuda

cd "${root}/egs/mini_an4/tts1"
exp=exp/ngpu${ngpu}
rm -rf "${exp}"
short="--max_epoch 1 --num_iters_per_epoch 10 --batch_size 2 --model_conf adversarial_start=5"
./run.sh --ngpu "${ngpu}" --nj 1 --inference_nj 1 --expdir "${exp}" \
    --vocoder_preset istft_nano --vocoder_speech recordings --vocoder_args "${short}"
./run.sh --ngpu "${ngpu}" --nj 1 --inference_nj 1 --expdir "${exp}" --stage 6 --stop_stage 6 \
    --teacher_dump false --student_tag online

python3 "${root}/benchmarks/step_cost.py" --device "${device}" "$@"
