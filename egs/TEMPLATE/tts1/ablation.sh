#!/usr/bin/env bash
# What distilling is worth: the same student trained alone, begun from its teacher's
# weights, distilled, and both, for as many steps, from several seeds; in one table.

set -euo pipefail

seeds="1 2 3"
settings="alone warm distilled distilled_warm"
parallel=2           # Trainings at a time, of one thread each.
student_config=conf/train_student.yaml
eval_set=eval
expdir=exp           # Where run.sh's stages 1 to 5 have put teacher, statistics and dump.
tag=ablation         # The students go to ${expdir}/${tag}.
inference_model=train.loss.ave.pth
vocoder_file=none
csv=                 # Also write a line a run here.

help_message="Usage: $0 [--seeds \"1 2 3\"] [--settings \"alone distilled\"] [--<variable> <value>] ...

Wants run.sh's stages 1 to 5 done. What is finished is not done again.
Every variable at the head of this script is an option of the same name."

. ./path.sh
. ./link_espnet.sh
. utils/parse_options.sh

root=${expdir}/${tag}

run() {  # run SETTING SEED STAGE
    local distill=false warm_start=false
    [[ $1 != distilled* ]] || distill=true
    [[ $1 != *warm ]] || warm_start=true
    ./run.sh --stage "$3" --stop_stage "$3" --num_threads 1 --expdir "${expdir}" \
        --student_config "${student_config}" --student_tag "${tag}/$1_seed$2" \
        --student_args "--seed $2" --distill "${distill}" --warm_start "${warm_start}" \
        --inference_model "${inference_model}" --inference_tag "${tag}" \
        --vocoder_file "${vocoder_file}" >> "${root}/$1_seed$2.log" 2>&1 \
        || { echo "$0: error: see ${root}/$1_seed$2.log" >&2; exit 2; }
    echo "$(date '+%H:%M:%S') stage $3 of $1, seed $2"
}

mkdir -p "${root}"
for seed in ${seeds}; do
    for setting in ${settings}; do
        while [ "$(jobs -rp | wc -l)" -ge "${parallel}" ]; do
            wait -n
        done
        run "${setting}" "${seed}" 6 &
    done
done
while [ -n "$(jobs -p)" ]; do
    wait -n
done

experiments=${expdir}/teacher
for setting in ${settings}; do
    for seed in ${seeds}; do
        run "${setting}" "${seed}" 7
        experiments+=" ${root}/${setting}_seed${seed}"
    done
done
# shellcheck disable=SC2086
espnet-distill evaluate ${experiments} --data "dump/raw/${eval_set}" \
    --out "${root}/evaluation" --durations "${expdir}/alignment/${eval_set}/durations" \
    --inference_model "${inference_model}" --inference_tag "${tag}" \
    --vocoder_file "${vocoder_file}"
# shellcheck disable=SC2086
espnet-distill seeds "${root}/evaluation" ${csv:+--csv "${csv}"} \
    --against teacher ${settings%% *}
