#!/usr/bin/env bash
# Distill an ESPnet text-to-mel teacher into a small student, with ESPnet's own tts.sh.
# shellcheck disable=SC2034,SC2154 # the function `step` reads variables and sets others

set -euo pipefail
trap 'exit 130' INT  # ESPnet's programs exit with other statuses

log() {
    local fname=${BASH_SOURCE[1]##*/}
    echo "$(date '+%Y-%m-%dT%H:%M:%S') (${fname}:${BASH_LINENO[0]}:${FUNCNAME[1]}) $*"
}

# The presets and fragments of conf/, in the sources or in the installed package
shared=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../../conf" && pwd)

# General
stage=1              # First stage to run.
stop_stage=13        # Last stage to run.
ngpu=0               # Number of GPUs (0: CPU).
nj=2                 # Parallel jobs of data preparation, statistics, teacher dump and
                     # waveforms.
inference_nj=2       # Parallel jobs in synthesis.
num_threads=$(nproc) # Threads of a training on CPU.
dumpdir=dump         # Folder of the features.
expdir=exp           # Folder of the experiments.
stats_dir=           # Folder of the statistics (default: ${expdir}/tts_stats).
python="python3 -m espnet_distill"  # Command that runs ESPnet's programs.

# Data, names as in tts.sh
train_set=train
valid_set=dev
test_sets=eval       # The first one is evaluated in stage 8.
tts_opts=            # More options for tts.sh, e.g. "--use_sid true".
# Empty: taken from the teacher. A given value must equal the teacher's.
# Default of a teacher that is trained here: the value in brackets.
fs=                  # [22050]
n_fft=               # [1024]
n_shift=             # [256]
win_length=          # [null]
n_mels=              # [80]
fmin=                # [80]
fmax=                # [7600]
f0min=               # [80]
f0max=               # [400]
token_type=          # [phn]
bpemodel=            # For --token_type bpe [sentencepiece model, trained on the training set]
cleaner=             # [tacotron for English graphemes and g2p_en, otherwise none]
g2p=                 # [espeak_ng_english_us_vits]
language=            # Language of the text, e.g. de [the g2p's].
nbpe=30              # Vocabulary size of a bpemodel that is trained.
teacher_stats=false  # Normalize with the statistics of a given teacher, not the data's.

# Alignment (durations for FastSpeech2)
durations_from=aligner  # Or teacher: the attention of an autoregressive teacher.
align_steps=600      # Updates of the aligner, of 16 utterances each.
max_unaligned=0.1    # Largest fraction of utterances that the aligner may leave out.
least_focus_rate=    # Threshold of a teacher's attention (default: 0.65 Tacotron2, 0.9 Transformer).

# Teacher and student
pseudo_label_text=   # Text (<utterance> <words>) that the teacher synthesizes for its student.
train_teacher=false  # Train the teacher with teacher_config in stage 4.
teacher_config=conf/train_teacher.yaml
teacher=             # Given teacher: an experiment folder, a .pth in one, a packed .zip,
                     # hub:owner/name[@revision] or a name of the model zoo.
speaker=             # Make a student of this one speaker of the teacher.
speech_script=       # Script of the recipe that dumps the speech of a voice for training, instead of
                     # the teacher: <speech_script> <text> <folder>, as teachers/speech_dump.py
                     # describes it, with the F0 of vocoders/latents.py.
more_teachers=       # Experiments or .pth to fuse with it, as configured in objectives_config.
noise_scale=0.333    # Noise of a teacher that synthesizes waveforms (VITS), in its latents
noise_scale_dur=0.0  # and in its durations.
student_features=mel # Or latents: a student of a VITS or JETS predicts the input of its
                     # waveform decoder; requires a vocoder_preset, which turns it into waveforms.
text_encoder_weight=0  # Weight of the distance between the encoders of the student and of a VITS or JETS.
student_config=conf/train_student.yaml
student=             # Student model: a preset of conf/students (empty: that of student_config).
objectives_config=${shared}/objectives/fastspeech2.yaml  # Empty: those of student_config.
student_tag=student  # The student's experiment is ${expdir}/${student_tag}.
student_args=        # More options for its training, e.g. "--seed 1".
distill=true         # False: train the student on the recordings, without a teacher.
warm_start=false     # Initialize from the teacher's weights (the teacher must be of the
                     # student's class and at least as wide).
teacher_dump=true    # Dump the teacher's taps once (false: run the teacher online).
dump_dir=            # Folder of the dump (default: ${expdir}/teacher_dump).
dump_batch_size=8    # Utterances per batch of the teacher.

# Small vocoder: stages 10 to 12, which run only with --vocoder_preset
vocoder_preset=      # Preset of conf/vocoders, distilled from vocoder_file.
vocoder_speech=      # Or trained on speech: "recordings", or a folder of speech synthesized by
                     # stage 8 of tts.sh, e.g. with VITS, for the same sets
                     # (<vocoder_speech>/<set>/wav/wav.scp).
vocoder_config=${shared}/training/vocoder.yaml  # Its training configuration.
vocoder_tag=vocoder  # Its experiment is ${expdir}/${vocoder_tag}.
vocoder_args=        # More options for its training, e.g. "--max_epoch 2".
vocoder_model=train.total_count.ave.pth  # Its checkpoint.

# Synthesis and evaluation
inference_model=train.loss.ave.pth  # Checkpoint of the student (and of a teacher trained here).
vocoder_file=none    # A HiFi-GAN generator (none: Griffin-Lim).
inference_tag=       # Folder of the speech in each experiment (default: ${student_tag}_decode).
evaldir=             # Folder of the table and the audio (default: ${expdir}/evaluation);
                     # stage 12 writes ${evaldir}_pair.

help_message="Usage: $0 [--stage 1] [--stop_stage 13] [--<variable> <value>] ...

Stages: 1 data (tts.sh 1-5), 2 alignment, 3 pseudo-labels and statistics (tts.sh 6),
4 teacher, 5 teacher dump, 6 student (tts.sh 7), 7 synthesis (tts.sh 8), 8 evaluation,
9 packing of the student (tts.sh 10); with --vocoder_preset also 10 waveforms of
--vocoder_file for the recordings' mels (or --vocoder_speech), 11 the small vocoder,
12 synthesis and evaluation of the student with it; 13 the voice, an ONNX graph of student
and vocoder. A pruned student is compacted after stage 6 into <student_tag>_compact, which
later stages use.
Every variable at the head of this script is an option of the same name."

# shellcheck source=egs/TEMPLATE/tts1/check_options.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/check_options.sh"
check_options "evaldir more_teachers python teacher test_sets vocoder_file" \
    "student_args tts_opts vocoder_args" "$@"
log "$0 $*"
. ./path.sh
[ ! -e link_espnet.sh ] || . ./link_espnet.sh  # an ESPnet recipe has the links already
run_args=$(scripts/utils/print_args.sh "$0" "$@")
. utils/parse_options.sh
. ./cmd.sh
# shellcheck source=egs/TEMPLATE/tts1/dumps.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/dumps.sh"

begin() {  # begin NUMBER TITLE: log a stage's title; true if the stage is to run
    current_stage=$1
    [ "${stage}" -le "$1" ] && [ "${stop_stage}" -ge "$1" ] && log "Stage $1: $2"
}

step() {  # step NAME [arguments]: a step in Python, with the variables of the head as options
    local name names options=()
    names=$(sed -nE '/^help_message=/q; s/^([a-z_0-9]+)=.*/\1/p' "${BASH_SOURCE[0]}")
    for name in ${names}; do
        options+=("--${name//_/-}=${!name}")
    done
    espnet-distill recipe-step "$@" "${options[@]}" || exit 2
}

set_variables() {  # set_variables STEP: set the variables that a step prints
    local assignments
    assignments=$(step "$1") || exit 2
    eval "${assignments}"
}

show_progress() {  # print the progress that the logs of local jobs report, in the background
    python3 -m espnet_distill.recipes.show_progress --parent $$ "${progress_folders[@]}" &
    progress_pid=$!
    disown "${progress_pid}"
    trap 'kill "${progress_pid}" 2> /dev/null || true' EXIT
}

run_tts() {  # run_tts STAGE STOP_STAGE [tts.sh options]
    # shellcheck disable=SC2086
    ./tts.sh --stage "$1" --stop_stage "$2" --python "${python}" --ngpu "${ngpu}" \
        --nj "${nj}" --inference_nj "${inference_nj}" "${tts_options[@]}" ${tts_opts} "${@:3}"
}

run_training() {  # run_training CONFIG EXPERIMENT [more arguments]
    mkdir -p "$2"
    echo "${run_args} --stage ${current_stage} \"\$@\"" > "$2/run_distill.sh"
    chmod +x "$2/run_distill.sh"
    OMP_NUM_THREADS=${num_threads} run_tts 7 7 \
        --train_set "${training_set}" --valid_set "${validation_set}" \
        --train_config "$1" --tts_exp "$2" --teacher_dumpdir "${align_dir}" \
        --train_args "${front_end} ${3:-}"
}

synthesize() {  # synthesize CHECKPOINT [VOCODER]: skipped if the inputs are unchanged
    local result key noise="" vocoder_file=${2:-${vocoder_file}} test_sets=${speech_sets}
    if ${is_synthesized} && [ "$1" = "${teacher_model}" ]; then
        noise="--noise_scale ${noise_scale} --noise_scale_dur ${noise_scale_dur}"
    fi
    result=$(dirname "$1")/${inference_tag}
    key=$(step synthesis-key --checkpoint "$1") || exit 2
    if [ "$(cat "${result}/made_from" 2> /dev/null)" = "${key}" ]; then
        log "Up to date: ${result}"
        return
    fi
    rm -f "${result}/made_from"
    run_tts 8 8 --test_sets "${test_sets}" --tts_exp "$(dirname "$1")" \
        --inference_model "$(basename "$1")" --inference_tag "${inference_tag}" \
        --vocoder_file "${vocoder_file}" --inference_args "${noise}"
    echo "${key}" > "${result}/made_from"
}

pack() {  # python for stage 10 of tts.sh, which omits sentencepiece models
    ${packer} "$@" ${bpemodel:+--option "${bpemodel}"}
}

evaluate() {  # evaluate OUT CHECKPOINT... [options]
    espnet-distill evaluate "${@:2}" --data "${dumpdir}/raw/${eval_set}" --out "$1" \
        --inference-tag "${inference_tag}" --vocoder "${vocoder_file}" \
        ${language:+--language "${language}"}
}

[ $# -eq 0 ] || fail "no positional arguments are expected: $*"
set_variables plan
mkdir -p "${expdir}"
echo "${teacher_model}" > "${expdir}/teacher_model"  # for scripts that compare
SECONDS=0
[[ ${train_cmd} != run.pl* ]] || show_progress
if [ "${stage}" -le 6 ] && [ "${stop_stage}" -ge 3 ]; then
    step configure-student
fi

if begin 1 "Data preparation and token list"; then
    if [ "${token_type}" = bpe ]; then
        run_tts 1 4
        mkdir -p "${token_list%/*}"
        run_job "--nbpe ${nbpe}" "${train_cmd}" "${token_list%/*}/spm_train.log" \
            espnet_distill.bin.make_bpe "${bpe_options[@]}"
    else
        run_tts 1 5
    fi
    step finish-data
fi
[ "${stage}" -gt 8 ] || [ "${stop_stage}" -lt 8 ] || step check-evaluation

if ${is_synthesized} && begin 2 "Speech of ${speech_script:-${teacher_exp}} -> ${speech_dir}"; then
    dump_set "${train_texts[@]}"
    dump_set "${valid_texts[@]}"
    set_variables select-utterances
elif begin 2 "Durations of the ${durations_from} -> ${align_dir}"; then
    if [ "${durations_from}" = aligner ]; then
        OMP_NUM_THREADS=${num_threads} run_job "alignment failed" "${cuda_cmd} --gpu ${ngpu}" \
            "${align_dir}/align.log" espnet_distill.data.aligner "${align_options[@]}"
        cat "${align_dir}/alignment.txt"
    else
        run_tts 8 8 --test_sets "${train_set} ${valid_set}" --tts_exp "${teacher_exp}" \
            --inference_model "${teacher_model##*/}" --inference_tag teacher_forced \
            --inference_args "--use_teacher_forcing true"
        for set in ${train_set} ${valid_set}; do
            espnet-distill attention-durations "${teacher_exp}" \
                "${teacher_exp}/teacher_forced/${set}" "${align_dir}/${set}_focused" \
                ${least_focus_rate:+--least-focus-rate ${least_focus_rate}}
        done
    fi
    set_variables select-utterances
fi

if [ -n "${pseudo_label_text}" ] && begin 3 "Pseudo-labels: ${teacher_exp}/${text_set}"; then
    step write-text-set
    if ${is_synthesized}; then
        dump_set "${more_texts[@]}"
    else
        speech_sets=${text_set} inference_tag=${text_set} synthesize "${teacher_model}"
        espnet-distill pseudo-label "${teacher_exp}/${text_set}/${text_set}" \
            "${dumpdir}/raw/${text_set}" "${align_dir}/${text_set}" --n-shift "${n_shift}"
    fi
    step add-pseudo-labels
fi

if begin 3 "Statistics: ${stats_dir}"; then
    mkdir -p "${stats_dir}"
    echo unfinished > "${stats_dir}/made_from"
    ! ${extracts_features} || run_tts 6 6 --train_set "${training_set}" --valid_set "${validation_set}" \
        --train_config "${student_train}" --teacher_dumpdir "${align_dir}" \
        --write_collected_feats true
    step finish-statistics
fi

if begin 4 "Teacher: ${teacher_model}" && ${train_teacher}; then
    run_training "${teacher_config}" "${teacher_exp}"
    [ "${stop_stage}" -lt 5 ] || step check-student
fi

if ${distill} && ${teacher_dump} && begin 5 "Teacher dump: ${teacher_exp} -> ${dump_dir}"; then
    set_variables training-data
    dump_teacher "${training_set}" train "${train_data[@]}"
    dump_teacher "${validation_set}" valid "${valid_data[@]}"
fi

if begin 6 "Student: ${student_exp}"; then
    step begin-student
    ! ${warm_start} || step init-student
    run_training "${distill_config}" "${student_exp}" "${student_args}"
fi
[ "${student_model%/*}" = "${student_exp}" ] || step compact-student
[ ! -d "${student_exp}" ] || echo "${student_model}" > "${student_exp}/student_model"

if begin 7 "Synthesis of ${speech_sets} by teacher and student"; then
    synthesize "${teacher_model}"
    ${is_latent} || synthesize "${student_model}"
fi

if ! ${is_latent} && begin 8 "Evaluation: ${evaldir}"; then
    durations=${align_dir}/${eval_set}/durations
    [ -e "${durations}" ] || durations=""
    evaluate "${evaldir}" "${teacher_model}" "${student_model}" \
        ${durations:+--durations "${durations}"}
fi

if begin 9 "Packing of ${student_model}"; then
    export -f pack
    export bpemodel packer=${python}
    python=pack run_tts 10 10 --skip_packing false \
        --tts_exp "${student_model%/*}" --inference_model "${student_model##*/}"
fi

if [ -n "${vocoder_preset}" ] && [ "${stop_stage}" -ge 10 ]; then
    [ "${stage}" -gt 11 ] || step configure-vocoder

    if begin 10 "Waveforms of ${vocoder_speech:-${vocoder_file}} -> ${waves_dir}"; then
        if ${is_latent} && [ -n "${speech_script}" ]; then
            log "F0: that of ${speech_script}"
        elif ${is_latent}; then
            for set in "${train_texts[0]}" "${valid_texts[0]}"; do
                dump_f0 "${speech_dir}/${set}" "${dumpdir}/raw/${set}/text" --unconditioned
            done
        else
            dump_waves "${train_waves}" train
            dump_waves "${valid_waves}" valid
        fi
    fi

    if begin 11 "Vocoder: ${vocoder_exp}"; then
        # shellcheck disable=SC2086
        OMP_NUM_THREADS=${num_threads} run_job "vocoder failed" "${cuda_cmd} --gpu ${ngpu}" \
            "${vocoder_exp}/train.log" espnet2.bin.gan_tts_train --ngpu "${ngpu}" --resume true \
            --multiprocessing_distributed true \
            --config "${vocoder_exp}/train.yaml" --output_dir "${vocoder_exp}" ${vocoder_args}
    fi

    if begin 12 "The student through ${vocoder_exp}: ${evaldir}_pair"; then
        step write-pair
        compared=("${teacher_model}")
        ${is_latent} || compared+=("${student_model}")
        for model in "${compared[@]}"; do
            synthesize "${model}"
        done
        synthesize "${student_model%/*}_pair/model.pth" "${vocoder_exp}/${vocoder_model}"
        evaluate "${evaldir}_pair" "${compared[@]}" "${student_model%/*}_pair/model.pth"
    fi
fi

if [ "${vocoder_preset:-${vocoder_file}}" != none ] && begin 13 "Voice: ${student_model%/*}_voice"; then
    step export-voice
fi

log "Successfully finished. [elapsed=${SECONDS}s]"
