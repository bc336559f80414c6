#!/usr/bin/env bash
# What distilling is worth: the same student trained alone, begun from its teacher's
# weights, distilled, and both, for as many steps, from several seeds; in one table.
# With --students, the presets named are compared, each in the settings named.

set -euo pipefail

seeds="1 2 3"
settings="alone warm distilled distilled_warm"
students=            # Presets of conf/students (empty: the recipe's student).
parallel=2           # Trainings at a time, of one thread each.
student_config=conf/train_student.yaml
options=             # More options of run.sh for all, e.g. "--dump_dir DIR".
eval_set=eval
expdir=exp           # Where run.sh's stages 1 to 5 have put teacher, statistics and dump.
tag=ablation         # The students go to ${expdir}/${tag}.
inference_model=train.loss.ave.pth
vocoder_file=none
csv=                 # Also write a line a run here.
measures=            # Of the speech (default: all), e.g. "wer dnsmos mcd".

help_message="Usage: $0 [--seeds \"1 2 3\"] [--settings \"alone distilled\"] [--<variable> <value>] ...

Wants run.sh's stages 1 to 5 done. What is finished is not done again, and is
refused if it was made with other options.
Every variable at the head of this script is an option of the same name."

# shellcheck source=egs/TEMPLATE/tts1/check_options.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/check_options.sh"
check_options "csv measures seeds settings students vocoder_file" "options" "$@"
. ./path.sh
. ./link_espnet.sh
. utils/parse_options.sh
. ./jobs.sh

root=${expdir}/${tag}

run() {  # run STUDENT SETTING SEED STAGE
    local name distill=false warm_start=false
    name=$(name_of "$1" "$2" "$3")
    [[ $2 != distilled* ]] || distill=true
    [[ $2 != *warm ]] || warm_start=true
    # shellcheck disable=SC2086
    run_stage "$4" "${name}" --student_config "${student_config}" \
        --student_args "--seed $3" --distill "${distill}" --warm_start "${warm_start}" \
        --inference_model "${inference_model}" --inference_tag "${tag}" \
        --vocoder_file "${vocoder_file}" ${1:+--student $1}
}

name_of() {  # name_of STUDENT SETTING SEED: a folder; the setting goes without saying if there is one
    local name=$1
    [ -n "$1" ] && [[ ${settings} != *" "* ]] || name+=${1:+_}$2
    echo "${name}_seed$3"
}

runs=()
for seed in ${seeds}; do
    for student in ${students:-""}; do
        for setting in ${settings}; do
            runs+=("${student}|${setting}|${seed}")
        done
    done
done

mkdir -p "${root}"
for one in "${runs[@]}"; do
    IFS="|" read -r student setting seed <<< "${one}"
    start run "${student}" "${setting}" "${seed}" 6
done
finish
experiments=$(cat "${expdir}/teacher_model")
for one in "${runs[@]}"; do
    IFS="|" read -r student setting seed <<< "${one}"
    run "${student}" "${setting}" "${seed}" 7
    experiments+=" $(cat "${root}/$(name_of "${student}" "${setting}" "${seed}")/student_model")"
done

# shellcheck disable=SC2086
espnet-distill evaluate ${experiments} --data "dump/raw/${eval_set}" \
    --out "${root}/evaluation" --durations "${expdir}/alignment/${eval_set}/durations" \
    --inference_tag "${tag}" \
    --vocoder_file "${vocoder_file}" ${measures:+--measures ${measures}}
# shellcheck disable=SC2086
espnet-distill summarize-seeds "${root}/evaluation" ${csv:+--csv "${csv}"} \
    --against teacher $([ -n "${students}" ] || echo "${settings%% *}")
