#!/usr/bin/env bash
# Benefit of initialization from a teacher: a student of its class trained from random
# weights, and for half as many steps from the teacher's weights, without distillation.

set -euo pipefail

seeds="1 2 3"
student_config=      # A training configuration with the student's tts and tts_conf.
epochs=4             # Epochs of the training from random weights, an even number.
steps=1000           # Its steps, for the learning rate schedule.
parallel=2           # Concurrent trainings, of one thread each.
options=             # More options of run.sh for all students.
expdir=exp           # Experiments of run.sh's stages 1 to 4: teacher and statistics.
tag=head_start       # Folder of the students below ${expdir}.
csv=                 # CSV file with a line per validation.

help_message="Usage: $0 --student_config FILE [--<variable> <value>] ...

Requires run.sh's stages 1 to 4. Finished trainings are reused, and refused if they were
made with other options.
Every variable at the head of this script is an option of the same name."

# shellcheck source=egs/TEMPLATE/tts1/check_options.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/check_options.sh"
check_options "csv seeds" "options" "$@"
. ./path.sh
. ./link_espnet.sh
. utils/parse_options.sh
. ./jobs.sh

[ -f "${student_config}" ] || fail "--student_config ${student_config}: no such file"
[ $((epochs % 2)) -eq 0 ] || fail "--epochs ${epochs}: is odd, and halves are compared"

root=${expdir}/${tag}

run() {  # run SETTING SEED EPOCHS STEPS
    local warm_start=false
    [ "$1" != derived ] || warm_start=true
    run_stage 6 "$1_seed$2" --student "" --student_config "${student_config}" \
        --student_args "--seed $2 --max_epoch $3 --scheduler_conf total_steps=$4" \
        --distill false --warm_start "${warm_start}"
}

mkdir -p "${root}"
trainings=""
for setting in "random ${epochs} ${steps}" "derived $((epochs / 2)) $((steps / 2))"; do
    read -r name run_epochs run_steps <<< "${setting}"
    for seed in ${seeds}; do
        trainings+=" ${root}/${name}_seed${seed}"
        start run "${name}" "${seed}" "${run_epochs}" "${run_steps}"
    done
done
finish

# shellcheck disable=SC2086
python3 ../../../benchmarks/curves.py ${trainings} ${csv:+--csv "${csv}"}
