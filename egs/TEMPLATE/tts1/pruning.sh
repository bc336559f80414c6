#!/usr/bin/env bash
# What pruning costs: a student distilled from its teacher's weights, and the same student
# trained on while it is pruned, from several seeds; in one table.

set -euo pipefail

seeds="1 2 3"
settings="neurons_0.5 one-shot_0.5 alone_0.5 low-rank_0.5"  # See below.
student=             # Preset of conf/students (empty: the recipe's student).
prune_start=50       # Updates begin after this step.
prune_end=500        # The last update, and that of one-shot.
interval=10          # Steps between updates.
epochs=4             # How long a student is trained on while it is pruned and recovers,
steps=250            # in epochs of so many steps.
lr=1.0e-3            # The learning rate of the student that is pruned.
parallel=2           # Trainings at a time, of one thread each.
student_config=conf/train_student.yaml
train_set=train      # What low-rank hears its layers read.
eval_set=eval
expdir=exp           # Where run.sh's stages 1 to 5 have put teacher, statistics and dump.
tag=pruning          # The students go to ${expdir}/${tag}.
inference_model=train.loss.ave.pth
vocoder_file=none
csv=                 # Also write a line a run here.
measures=            # Of the speech (default: all), e.g. "wer dnsmos mcd".

help_message="Usage: $0 [--seeds \"1 2 3\"] [--settings \"neurons_0.5 weights_0.5\"] [--<variable> <value>] ...

A setting is WAY_PRESSURE. Ways: neurons and weights go gradually, from prune_start to
prune_end; one-shot takes the neurons at prune_end, in one go; alone is neurons without a
teacher; low-rank makes layers two of low rank before the first step. Each is compared with
the student that it began as, unpruned.
Wants run.sh's stages 1 to 5 done. What is finished is not done again.
Every variable at the head of this script is an option of the same name."

. ./path.sh
. ./link_espnet.sh
. utils/parse_options.sh
. ./jobs.sh

root=${expdir}/${tag}

callback_of() {  # callback_of SETTING: its entry of callbacks:, as YAML
    local way=${1%_*} what=neurons
    local when="start: ${prune_start}, end: ${prune_end}, interval: ${interval}"
    case ${way} in
        neurons | alone) ;;
        weights) what=weights ;;
        one-shot) when="schedule: one_shot, start: ${prune_end}" ;;
        *) fail "--settings: $1 is not neurons_P, weights_P, one-shot_P, alone_P or low-rank_P" ;;
    esac
    echo "{type: prune, what: ${what}, pressure: ${1##*_}, ${when}}"
}

run() {  # run SETTING SEED STAGE [OPTIONS]
    local name=$1_seed$2 config=${root}/$1.yaml model=()
    [ -z "${student}" ] || model=(--student "${student}")
    if [[ $1 = low-rank_* ]]; then  # whose configuration names its model
        config=${root}/cut_${name}/train.yaml model=(--student "")
    fi
    run_stage "$3" "${name}" --student_config "${config}" \
        --inference_model "${inference_model}" --inference_tag "${tag}" \
        --vocoder_file "${vocoder_file}" "${model[@]}" "${@:4}"
}

factorise() {  # factorise PRESSURE MODEL OUT: layers of low rank
    [ -d "$3" ] || espnet-distill prune "$2" "$3" --pressure "$1" --low-rank \
        --data "dump/raw/${train_set}" \
        --durations "${expdir}/alignment/${train_set}/durations" > "$3.log" 2>&1 \
        || fail "see $3.log"
}

prune() {  # prune SETTING SEED
    local args="--seed $2 --optim_conf lr=${lr} --scheduler_conf max_lr=${lr}"
    args+=" --max_epoch ${epochs} --num_iters_per_epoch ${steps}"
    args+=" --scheduler_conf total_steps=$((epochs * steps))"
    local unpruned=${root}/unpruned_seed$2/${inference_model} distill=true
    [[ $1 != alone_* ]] || distill=false
    if [[ $1 = low-rank_* ]]; then
        factorise "${1##*_}" "${unpruned}" "${root}/cut_$1_seed$2"
    else
        args+=" --init_param ${unpruned}"
    fi
    run "$1" "$2" 6 --warm_start false --distill "${distill}" --student_args "${args}"
}

mkdir -p "${root}"
cp "${student_config}" "${root}/unpruned.yaml"
for setting in ${settings}; do
    [[ ${setting} != low-rank_* ]] || continue
    callback=$(callback_of "${setting}")
    { cat "${student_config}"; printf 'callbacks:\n- %s\n' "${callback}"; } \
        > "${root}/${setting}.yaml"
done

for seed in ${seeds}; do
    start run unpruned "${seed}" 6 --warm_start true --student_args "--seed ${seed}"
done
finish
for seed in ${seeds}; do
    for setting in ${settings}; do
        start prune "${setting}" "${seed}"
    done
done
finish
experiments=$(cat "${expdir}/teacher_model")
for seed in ${seeds}; do
    for setting in unpruned ${settings}; do
        run "${setting}" "${seed}" 7
        experiments+=" $(cat "${root}/${setting}_seed${seed}/student_model")"
    done
done

# shellcheck disable=SC2086
espnet-distill evaluate ${experiments} --data "dump/raw/${eval_set}" \
    --out "${root}/evaluation" --inference_tag "${tag}" \
    --vocoder_file "${vocoder_file}" ${measures:+--measures ${measures}}
espnet-distill seeds "${root}/evaluation" --against unpruned ${csv:+--csv "${csv}"}
