#!/usr/bin/env bash
# Ablation of distillation: the same student trained without a teacher, initialized from
# the teacher's weights, distilled, and both, for as many steps, with several seeds; in one
# table. With --students, these presets are compared, each in the given settings.

set -euo pipefail

seeds="1 2 3"
settings="alone warm distilled distilled_warm"
students=            # Presets of conf/students (empty: the recipe's student).
parallel=2           # Concurrent trainings, of one thread each.
student_config=conf/train_student.yaml
options=             # More options of run.sh for all students, e.g. "--dump_dir DIR".
eval_set=eval
expdir=exp           # Experiments of run.sh's stages 1 to 5: teacher, statistics and dump.
tag=ablation         # Folder of the students below ${expdir}.
inference_model=train.loss.ave.pth
vocoder_file=none
csv=                 # CSV file with a line per run.
metrics=             # Metrics of the speech (default: all), e.g. "wer dnsmos mcd".

help_message="Usage: $0 [--seeds \"1 2 3\"] [--settings \"alone distilled\"] [--<variable> <value>] ...

Requires run.sh's stages 1 to 5. Finished trainings are reused, and refused if they were
made with other options.
Every variable at the head of this script is an option of the same name."

# shellcheck source=egs/TEMPLATE/tts1/check_options.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/check_options.sh"
check_options "csv metrics seeds settings students vocoder_file" "options" "$@"
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

name_of() {  # name_of STUDENT SETTING SEED: a folder; a single setting of presets is omitted
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
for item in "${runs[@]}"; do
    IFS="|" read -r student setting seed <<< "${item}"
    start run "${student}" "${setting}" "${seed}" 6
done
finish
experiments=$(cat "${expdir}/teacher_model")
for item in "${runs[@]}"; do
    IFS="|" read -r student setting seed <<< "${item}"
    run "${student}" "${setting}" "${seed}" 7
    experiments+=" $(cat "${root}/$(name_of "${student}" "${setting}" "${seed}")/student_model")"
done

durations=${expdir}/alignment/${eval_set}/durations
[ -e "${durations}" ] || durations=""
# shellcheck disable=SC2086
espnet-distill evaluate ${experiments} --data "dump/raw/${eval_set}" \
    --out "${root}/evaluation" ${durations:+--durations ${durations}} \
    --inference-tag "${tag}" \
    --vocoder "${vocoder_file}" ${metrics:+--metrics ${metrics}}
# shellcheck disable=SC2086
espnet-distill summarize-seeds "${root}/evaluation" ${csv:+--csv "${csv}"} \
    --against teacher $([ -n "${students}" ] || echo "${settings%% *}")
