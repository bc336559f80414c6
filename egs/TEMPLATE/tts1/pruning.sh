#!/usr/bin/env bash
# Quality after pruning: a student initialized and distilled from its teacher, and the same
# student pruned during further training, with several seeds; in one table. With
# --begin_as teacher, the teacher is pruned.

set -euo pipefail

seeds="1 2 3"
settings="structured_0.5 one-shot_0.5 alone_0.5 low-rank_0.5"  # See below.
begin_as=unpruned    # Model to prune: unpruned, a student that is trained first; or teacher.
student=             # Preset of conf/students (empty: the recipe's student).
prune_start=50       # Step after which mask updates begin.
prune_end=500        # Step of the last update, and of the update of one-shot.
interval=10          # Steps between updates.
criterion=magnitude  # Importance criterion of structured or unstructured.
merge=false          # Merge pruned units into the kept ones (not with low-rank).
prune_also=          # Further units to prune: "residual", "heads" or both.
stock_compatible=false  # Whether stock ESPnet has to load the compacted model.
exclude=             # Parameters not to prune, e.g. "tts.*_predictor.*" (not with low-rank).
epochs=4             # Epochs of the training with pruning and recovery.
steps=250            # Steps per epoch.
lr=1.0e-3            # Learning rate of the training with pruning.
parallel=2           # Concurrent trainings, of one thread each.
student_config=conf/train_student.yaml
options=             # More options of run.sh for all students, e.g. "--pseudo_label_text FILE".
train_set=train      # Calibration data of low-rank.
eval_set=eval
expdir=exp           # Experiments of run.sh's stages 1 to 5: teacher, statistics and dump.
tag=pruning          # Folder of the students below ${expdir}.
inference_model=train.loss.ave.pth
vocoder_file=none
csv=                 # CSV file with a line per run.
metrics=             # Metrics of the speech (default: all), e.g. "wer dnsmos mcd".

help_message="Usage: $0 [--seeds \"1 2 3\"] [--settings \"structured_0.5 unstructured_0.5\"] [--<variable> <value>] ...

A setting is WAY_PRESSURE. Ways: structured (units) and unstructured (single weights) prune
gradually, from prune_start to prune_end; one-shot prunes units once, at prune_end; alone
prunes units without a teacher; low-rank factorizes layers before the first step. Each is
compared with the unpruned student, or with the teacher.
Requires run.sh's stages 1 to 5. Finished trainings are reused, and refused if they were
made with other options.
Every variable at the head of this script is an option of the same name."

# shellcheck source=egs/TEMPLATE/tts1/check_options.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/check_options.sh"
check_options "csv metrics prune_also seeds settings vocoder_file" "exclude options" "$@"
. ./path.sh
. ./link_espnet.sh
. utils/parse_options.sh
. ./jobs.sh

root=${expdir}/${tag}
teacher=$(cat "${expdir}/teacher_model")
case ${begin_as} in
    unpruned) unpruned=unpruned ;;  # the name of a setting
    teacher) unpruned="" ;;
    *) fail "--begin_as ${begin_as}: is neither unpruned nor teacher" ;;
esac

callback_of() {  # callback_of SETTING: the entry of callbacks in YAML
    local way=${1%_*}
    local granularity="structured, stock_compatible: ${stock_compatible}"
    granularity+="${prune_also:+, prune_also: [${prune_also// /, }]}"
    local when="start: ${prune_start}, end: ${prune_end}, interval: ${interval}"
    local how="pressure: ${1##*_}, criterion: ${criterion}, merge: ${merge}"
    how+="${exclude:+, exclude: ['${exclude// /"', '"}']}"
    case ${way} in
        structured | alone) ;;
        unstructured) granularity=unstructured ;;
        one-shot) when="schedule: one_shot, start: ${prune_end}" ;;
        *) fail "--settings: $1 is not structured_P, unstructured_P, one-shot_P, alone_P or low-rank_P" ;;
    esac
    echo "{type: prune, granularity: ${granularity}, ${how}, ${when}}"
}

training_of() {  # training_of CONFIG: student_config with the model of CONFIG, in YAML
    python3 -c '
import sys, yaml
training, other = (yaml.safe_load(open(path)) for path in sys.argv[1:])
model = {key: other[key] for key in ("tts", "tts_conf", "init_param") if other.get(key)}
print(yaml.safe_dump(training | model))
' "${student_config}" "$1"
}

add_callback() {  # add_callback CONFIG CALLBACK: CONFIG with one callback more, in YAML
    python3 -c '
import sys, yaml
from espnet_distill.errors import ConfigError
from espnet_distill.training.registry import build_callback
conf, callback = yaml.safe_load(open(sys.argv[1])), yaml.safe_load(sys.argv[2])
try:
    build_callback(callback, "callbacks")
except ConfigError as error:
    print(f"./pruning.sh: error: {error}", file=sys.stderr)
    sys.exit(2)
callbacks = [*(conf.get("callbacks") or []), callback]
print(yaml.safe_dump(conf | {"callbacks": callbacks}))
' "$1" "$2"
}

run() {  # run SETTING SEED STAGE [OPTIONS]
    local name=$1_seed$2 config=${root}/$1.yaml model=()
    [ -z "${student}" ] || model=(--student "${student}")
    [[ $1 != low-rank_* ]] || config=${root}/${name}.yaml
    [[ $1 != low-rank_* && ${begin_as} = unpruned ]] || model=(--student "")  # config has it
    run_stage "$3" "${name}" --student_config "${config}" \
        --inference_model "${inference_model}" --inference_tag "${tag}" \
        --vocoder_file "${vocoder_file}" "${model[@]}" "${@:4}"
}

factorize() {  # factorize PRESSURE MODEL OUT: low-rank factorization of the layers
    local set=${train_set} data durations from
    [ ! -d "dump/raw/${train_set}_focused" ] || set+=_focused  # --durations_from teacher
    data=dump/raw/${set} durations=${expdir}/alignment/${set}/durations
    from=$(python3 -m espnet_distill.recipes.made_from --experiment "$2" --words pressure "$1" \
        --file text "${data}/text" --listed wav.scp "${data}/wav.scp" --file durations "${durations}")
    [ "$(cat "$3/made_from" 2> /dev/null)" != "${from}" ] || return 0
    rm -rf "$3"
    espnet-distill prune "$2" "$3" --pressure "$1" --low-rank \
        --data "${data}" --durations "${durations}" > "$3.log" 2>&1 || fail "see $3.log"
    echo "${from}" > "$3/made_from"
}

prune() {  # prune SETTING SEED
    local args="--seed $2 --optim_conf lr=${lr} --scheduler_conf max_lr=${lr}"
    args+=" --max_epoch ${epochs} --num_iters_per_epoch ${steps}"
    args+=" --scheduler_conf total_steps=$((epochs * steps))"
    local initial=${root}/unpruned_seed$2/${inference_model} distill=true warm_start=false
    [ ${begin_as} = unpruned ] || initial=${teacher}
    [[ $1 != alone_* ]] || distill=false
    if [[ $1 = low-rank_* ]]; then
        factorize "${1##*_}" "${initial}" "${root}/cut_$1_seed$2"
        training_of "${root}/cut_$1_seed$2/train.yaml" > "${root}/$1_seed$2.yaml"
    elif [ ${begin_as} = teacher ]; then
        warm_start=true
    else
        args+=" --init_param ${initial}:tts:tts"
    fi
    run "$1" "$2" 6 --warm_start "${warm_start}" --distill "${distill}" --student_args "${args}"
}

mkdir -p "${root}"
if [ ${begin_as} = teacher ]; then
    training_of "$(dirname "${teacher}")/config.yaml" > "${root}/teacher.yaml"
else
    cp "${student_config}" "${root}/unpruned.yaml"
fi
for setting in ${settings}; do
    [[ ${setting} != low-rank_* ]] || continue
    callback=$(callback_of "${setting}")
    add_callback "${root}/${begin_as}.yaml" "${callback}" > "${root}/${setting}.yaml" || exit 2
done

for seed in ${unpruned:+${seeds}}; do
    start run unpruned "${seed}" 6 --warm_start true --student_args "--seed ${seed}"
done
finish
for seed in ${seeds}; do
    for setting in ${settings}; do
        start prune "${setting}" "${seed}"
    done
done
finish
experiments=${teacher}
for seed in ${seeds}; do
    for setting in ${unpruned} ${settings}; do
        run "${setting}" "${seed}" 7
        experiments+=" $(cat "${root}/${setting}_seed${seed}/student_model")"
    done
done

# shellcheck disable=SC2086
espnet-distill evaluate ${experiments} --data "dump/raw/${eval_set}" \
    --out "${root}/evaluation" --inference-tag "${tag}" \
    --vocoder "${vocoder_file}" ${metrics:+--metrics ${metrics}}
espnet-distill summarize-seeds "${root}/evaluation" --against ${begin_as} ${csv:+--csv "${csv}"}
