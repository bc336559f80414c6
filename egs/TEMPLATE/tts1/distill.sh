#!/usr/bin/env bash
# Distil an ESPnet text-to-mel teacher into a small student, with ESPnet's own tts.sh.

set -euo pipefail
trap 'exit 130' INT  # ESPnet's programs end with a status of their own

log() {
    local fname=${BASH_SOURCE[1]##*/}
    echo "$(date '+%Y-%m-%dT%H:%M:%S') (${fname}:${BASH_LINENO[0]}:${FUNCNAME[1]}) $*"
}

# The presets and fragments of conf/, of the sources or of the installed package
shared=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../../conf" && pwd)

# General
stage=1              # First stage to run.
stop_stage=12        # Last stage to run.
ngpu=0               # Number of GPUs (0: CPU).
nj=2                 # Parallel jobs in data preparation and statistics.
inference_nj=2       # Parallel jobs in synthesis.
num_threads=$(nproc) # Threads of a training on CPU.
dumpdir=dump         # Where features go.
expdir=exp           # Where experiments go.
stats_dir=           # Where statistics go (default: ${expdir}/tts_stats).
python="python3 -m espnet_distill"  # What runs ESPnet's programs.

# Data, names as in tts.sh
train_set=train
valid_set=dev
test_sets=eval       # The first one is evaluated in stage 8.
tts_opts=            # More options for tts.sh, e.g. "--use_sid true".
# What is empty is taken from the teacher; what is not has to be as the teacher has it.
# A teacher trained here takes what stands in brackets.
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
bpemodel=            # Of --token_type bpe [one that sentencepiece trains on the training set]
cleaner=             # [tacotron]
g2p=                 # [espeak_ng_english_us_vits]
nbpe=30              # Pieces of a bpemodel that is trained.
teacher_stats=false  # Normalise with the statistics of a given teacher, not the data's.

# Alignment (durations for FastSpeech2)
durations_from=aligner  # Or teacher: the attention of an autoregressive one.
align_steps=600      # Updates of the aligner, of 16 utterances each.
max_unaligned=0.1    # Share of the utterances that the aligner may leave out.
least_focus_rate=    # Of a teacher's attention (default: 0.65 Tacotron2, 0.9 Transformer).

# Teacher and student
more_text=           # Text (<utterance> <words>) that the teacher reads to its student, too.
train_teacher=false  # Train the teacher with teacher_config in stage 4.
teacher_config=conf/train_teacher.yaml
teacher=             # Else: an experiment folder, a .pth in one, a packed .zip or hub:owner/name.
more_teachers=       # Experiments or .pth to fuse with it, as objectives_config says.
student_config=conf/train_student.yaml
student=             # Its model: a preset of conf/students (empty: student_config names it).
objectives_config=${shared}/objectives/fastspeech2.yaml  # Empty: student_config has its own.
student_tag=student  # The student goes to ${expdir}/${student_tag}.
student_args=        # More options for its training, e.g. "--seed 1".
distill=true         # False: train the student alone, from the recordings only.
warm_start=false     # Begin with weights cut out of the teacher, of the same class and wider.
teacher_dump=true    # Write the teacher's outputs once (false: run it in the training).
dump_dir=            # Where they go (default: ${expdir}/teacher_dump).
dump_batch_size=8    # Utterances that the teacher takes at a time.

# A small vocoder: stages 10 to 12, which run if it is named
vocoder=             # Preset of conf/vocoders that is distilled from vocoder_file.
vocoder_speech=      # Or from speech: "recordings", or what tts.sh 8 let e.g. a VITS say of the
                     # same sets (<vocoder_speech>/<set>/wav/wav.scp).
vocoder_config=${shared}/training/vocoder.yaml  # How it is trained.
vocoder_tag=vocoder  # It goes to ${expdir}/${vocoder_tag}.
vocoder_args=        # More options for its training, e.g. "--max_epoch 2".
vocoder_model=train.total_count.ave.pth  # Its checkpoint.

# Synthesis and evaluation
inference_model=train.loss.ave.pth  # Checkpoint of the student (and of a teacher trained here).
vocoder_file=none    # A HiFi-GAN generator (none: Griffin-Lim).
inference_tag=       # Where the speech goes in each experiment (default: ${student_tag}_decode).
evaldir=             # Where the table and the audio go (default: ${expdir}/evaluation).

help_message="Usage: $0 [--stage 1] [--stop_stage 12] [--<variable> <value>] ...

Stages: 1 data (tts.sh 1-5), 2 alignment, 3 reading of more_text and statistics
(tts.sh 6), 4 teacher, 5 teacher dump, 6 student (tts.sh 7), 7 synthesis (tts.sh 8),
8 evaluation, 9 packing of the student (tts.sh 10), with --vocoder also 10 what
--vocoder_file says of the recordings' mels (or --vocoder_speech), 11 the small vocoder,
12 synthesis and evaluation of the student that speaks through it. A student that is
pruned is compacted after stage 6 into <student_tag>_compact, which the stages after it
take.
Every variable at the head of this script is an option of the same name."

# shellcheck source=egs/TEMPLATE/tts1/check_options.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/check_options.sh"
check_options "evaldir more_teachers python teacher test_sets vocoder_file" \
    "student_args tts_opts vocoder_args" "$@"
log "$0 $*"
. ./path.sh
[ ! -e link_espnet.sh ] || . ./link_espnet.sh  # a recipe of ESPnet's has its links
run_args=$(scripts/utils/print_args.sh "$0" "$@")
. utils/parse_options.sh
. ./cmd.sh

fail() {
    echo "$0: error: $*" >&2
    exit 2
}

made_from() {  # made_from OPTIONS: what a result is made from, a checksum a line
    python3 -m espnet_distill.recipes.made_from "$@" || exit 2
}

reason() {  # reason LOG...: the last error in the logs of a job
    grep -hE "[Ee]rror: " "$@" | tail -n 1
}

check_texts() {  # ids that name files; more_text, before a teacher synthesizes it
    local set texts=()
    for set in ${train_set} ${valid_set} ${test_sets}; do
        [ ! -e "${dumpdir}/raw/${set}/text" ] || texts+=("${dumpdir}/raw/${set}/text")
    done
    [ ${#texts[@]} -eq 0 ] && [ -z "${more_text}" ] \
        || espnet-distill check-text ${more_text:+--new "${more_text}"} "${texts[@]}"
}

[ $# -eq 0 ] || fail "no positional arguments are expected: $*"
for config in student_config objectives_config; do
    [ -z "${!config}" ] || [ -f "${!config}" ] || fail "--${config} ${!config}: no such file"
done

preset=${shared}/students/${student}.yaml
if [ -n "${student}" ]; then
    [ -f "${preset}" ] || fail "--student: $(dirname "${preset}"): no such preset: ${student}"
    ! grep -q "^tts:" "${student_config}" \
        || fail "--student ${student}: ${student_config} names a model of its own (tts)"
fi

vocoder_preset=${shared}/vocoders/${vocoder}.yaml
if [ -n "${vocoder}" ]; then
    [ -f "${vocoder_preset}" ] || fail "--vocoder: $(dirname "${vocoder_preset}"): no such preset: ${vocoder}"
    [ -f "${vocoder_config}" ] || fail "--vocoder_config ${vocoder_config}: no such file"
    case ${vocoder_speech} in
        "") [ -f "${vocoder_file}" ] || fail "--vocoder ${vocoder}: --vocoder_file ${vocoder_file} is no generator to learn from; or say --vocoder_speech" ;;
        recordings) ;;
        *)
            for set in ${train_set} ${valid_set}; do
                [ -f "${vocoder_speech}/${set}/wav/wav.scp" ] \
                    || fail "--vocoder_speech ${vocoder_speech}: no ${set}/wav/wav.scp in it; tts.sh 8 makes it"
            done ;;
    esac
fi

if [ -n "${more_text}" ]; then
    [ -f "${more_text}" ] || fail "--more_text ${more_text}: no such file"
    ! ${train_teacher} || fail "--more_text: wants a trained --teacher"
    [[ ${tts_opts} != *"--use_"* ]] || fail "--more_text: one speaker and language only"
    reading=$(basename "${more_text}")
    [[ " ${train_set} ${valid_set} ${test_sets} " != *" ${reading} "* ]] \
        || fail "--more_text ${more_text}: a set has its name; rename it"
fi
check_texts
stats_dir=${stats_dir:-${expdir}/tts_stats${reading:+_${reading}}}
dump_dir=${dump_dir:-${expdir}/teacher_dump${reading:+_${reading}}}
align_dir=${expdir}/alignment
waves_dir=${expdir}/${vocoder_tag}_waves
vocoder_exp=${expdir}/${vocoder_tag}
student_exp=${expdir}/${student_tag}
student_train=${student_exp}/student.yaml
distill_config=${student_exp}/train.yaml
inference_tag=${inference_tag:-${student_tag}_decode}
evaldir=${evaldir:-${expdir}/evaluation}
eval_set=${test_sets%% *}

case ${durations_from} in
    aligner) ;;
    teacher) ! ${train_teacher} || fail "--durations_from teacher: wants a trained --teacher" ;;
    *) fail "--durations_from ${durations_from}: is neither aligner nor teacher" ;;
esac
if ${train_teacher}; then
    [ -f "${teacher_config}" ] || fail "--teacher_config ${teacher_config}: no such file"
    teacher_exp=${expdir}/teacher
    teacher_model=${teacher_exp}/${inference_model}
    teacher_yaml=${teacher_config}
else
    [ -n "${teacher}" ] || fail "name a --teacher, or train one: --train_teacher true"
    [[ ${teacher} != *.zip && ${teacher} != *" "* ]] && [ -e "${teacher}" ] \
        || teacher=$(espnet-distill unpack "${teacher}" "${expdir}/pretrained")
    teacher_model=$(espnet-distill find-model "${teacher}")
    [[ ${teacher_model} != *" "* ]] \
        || fail "--teacher ${teacher}: ${teacher_model} has a space, which tts.sh cannot take; rename it"
    teacher_exp=$(dirname "${teacher_model}")
    teacher_yaml=${teacher_exp}/config.yaml
    settings=$(espnet-distill teacher-config "${teacher_model}" --fs "${fs}" --n_fft "${n_fft}" \
        --n_shift "${n_shift}" --win_length "${win_length}" --n_mels "${n_mels}" \
        --fmin "${fmin}" --fmax "${fmax}" --f0min "${f0min}" --f0max "${f0max}" \
        --token_type "${token_type}" --bpemodel "${bpemodel}" \
        --cleaner "${cleaner}" --g2p "${g2p}")
    eval "${settings}"
fi
: "${fs:=22050}" "${n_fft:=1024}" "${n_shift:=256}" "${win_length:=null}" "${n_mels:=80}"
: "${fmin:=80}" "${fmax:=7600}" "${f0min:=80}" "${f0max:=400}"
: "${token_type:=phn}" "${cleaner:=tacotron}" "${g2p:=espeak_ng_english_us_vits}"

token_list=${dumpdir}/token_list/${token_type}
[ "${cleaner}" = none ] || token_list+=_${cleaner}
[ "${token_type}" != phn ] || token_list+=_${g2p}
token_list+=/tokens.txt
front_end=           # What tts.sh does not tell a training of its text.
if [ "${token_type}" = bpe ]; then
    given_bpemodel=${bpemodel}
    bpemodel=$(dirname "${token_list}")/bpe.model
    front_end="--bpemodel ${bpemodel}"
elif [ -n "${bpemodel}" ]; then
    fail "--bpemodel ${bpemodel}: wants --token_type bpe, got ${token_type}"
fi
if ${train_teacher} && [ -n "${given_bpemodel:-}" ]; then
    for file in "${given_bpemodel}" "${given_bpemodel%.model}.vocab"; do
        [ -f "${file}" ] || fail "--bpemodel ${given_bpemodel}: no ${file}; spm_train writes both"
    done
fi

run_tts() {  # run_tts STAGE STOP_STAGE [tts.sh options]
    local first=$1 last=$2
    shift 2
    # shellcheck disable=SC2086
    ./tts.sh --stage "${first}" --stop_stage "${last}" \
        --python "${python}" --ngpu "${ngpu}" --nj "${nj}" --inference_nj "${inference_nj}" \
        --dumpdir "${dumpdir}" --expdir "${expdir}" \
        --train_set "${train_set}" --valid_set "${valid_set}" --test_sets "${test_sets}" \
        --srctexts "data/${train_set}/text" \
        --fs "${fs}" --n_fft "${n_fft}" --n_shift "${n_shift}" --win_length "${win_length}" \
        --n_mels "${n_mels}" --fmin "${fmin}" --fmax "${fmax}" --f0min "${f0min}" --f0max "${f0max}" \
        --token_type "${token_type}" --cleaner "${cleaner}" --g2p "${g2p}" \
        --train_args "${front_end}" --tts_stats_dir "${stats_dir}" ${tts_opts} "$@"
}

run_training() {  # run_training CONFIG EXPERIMENT [more arguments]
    mkdir -p "$2"
    echo "${run_args} --stage ${current_stage} \"\$@\"" > "$2/run_distill.sh"
    chmod +x "$2/run_distill.sh"
    OMP_NUM_THREADS=${num_threads} run_tts 7 7 \
        --train_config "$1" --tts_exp "$2" --teacher_dumpdir "${align_dir}" \
        --train_args "${front_end} ${3:-}"
}

tokenize() {  # tokenize TOKEN_TYPE OUTPUT [options]: the training texts
    local kind=$1 output=$2
    shift 2
    ${python} -m espnet2.bin.tokenize_text --token_type "${kind}" --cleaner "${cleaner}" \
        --field 2- --input "data/${train_set}/text" --output "${output}" "$@"
}

take_bpemodel() {  # the one given, to be named by its place in this recipe
    mkdir -p "$(dirname "${bpemodel}")"
    cp "${given_bpemodel}" "${bpemodel}.part"
    mv "${bpemodel}.part" "${bpemodel}"
}

sentencepieces() {  # stage 5 of tts.sh, which knows no bpe, as asr.sh does it
    local folder vocabulary=${given_bpemodel%.model}.vocab
    folder=$(dirname "${token_list}")
    mkdir -p "${folder}"
    if [ -n "${given_bpemodel}" ]; then
        take_bpemodel
    else
        tokenize word "${folder}/text"
        ${train_cmd} "${folder}/spm_train.log" \
            python3 "$(espnet-distill espnet-root)/tools/sentencepiece_commands/spm_train" \
                --input="${folder}/text" --vocab_size="${nbpe}" --model_type=unigram \
                --model_prefix="${folder}/trained" --character_coverage=1.0 \
            || fail "--nbpe ${nbpe}: $(reason "${folder}/spm_train.log")"
        mv "${folder}/trained.model" "${bpemodel}"
        vocabulary=${folder}/trained.vocab
    fi
    if ! ${train_teacher}; then  # what the text has of the teacher's pieces
        tokenize bpe "${token_list}" --bpemodel "${bpemodel}" --write_vocabulary true
        return
    fi
    {
        printf "%s\n" "<blank>" "<unk>"
        tail -n +4 "${vocabulary}" | cut -f 1  # after <unk>, <s> and </s>
        echo "<sos/eos>"
    } > "${token_list}.part"
    mv "${token_list}.part" "${token_list}"
}

spk_embed_tag() {  # of tts.sh's option
    local tag
    tag=$(sed -nE 's/.*--spk_embed_tag +([^ ]+).*/\1/p' <<< "${tts_opts}")
    echo "${tag:-espnet_spk}"
}

data_of() {  # data_of SET SPLIT: what tts.sh gives a training of this set
    local set_dir=${dumpdir}/raw/$1 collected=${stats_dir}/$2/collect_feats data item
    data="${set_dir}/text,text,text ${set_dir}/wav.scp,speech,sound"
    data+=" ${align_dir}/$1/durations,durations,text_int"
    for item in pitch energy; do  # else the teacher extracts its own
        [ ! -e "${collected}/${item}.scp" ] || data+=" ${collected}/${item}.scp,${item},npy"
    done
    [[ ${tts_opts} != *"--use_sid true"* ]] || data+=" ${set_dir}/utt2sid,sids,text_int"
    [[ ${tts_opts} != *"--use_lid true"* ]] || data+=" ${set_dir}/utt2lid,lids,text_int"
    if [[ ${tts_opts} == *"--use_spk_embed true"* ]]; then
        item=$(spk_embed_tag)
        data+=" ${dumpdir}/${item}/$1/${item}.scp,spembs,kaldi_ark"
    fi
    for item in ${data}; do
        echo "--data_path_and_name_and_type ${item}"
    done
}

split_keys() {  # split_keys TABLE LOGDIR: sets jobs, the number of LOGDIR/keys.JOB.scp
    local keys="" job
    jobs=$(wc -l < "$1")
    [ "${jobs}" -lt "${nj}" ] || jobs=${nj}
    mkdir -p "$2"
    for job in $(seq "${jobs}"); do
        keys+=" $2/keys.${job}.scp"
    done
    # shellcheck disable=SC2086
    utils/split_scp.pl "$1" ${keys}
}

dump_waves() {  # dump_waves SET SPLIT: what a small vocoder is to say of each mel
    local logdir=${waves_dir}/$2/log command="${train_cmd}" jobs
    local options=(--config "$(dirname "${student_model}")/config.yaml")
    local speech=${dumpdir}/raw/$1/wav.scp
    case ${vocoder_speech} in
        "") options+=(--vocoder_file "${vocoder_file}") ;;
        recordings) ;;
        *) speech=${vocoder_speech}/$1/wav/wav.scp ;;
    esac
    options+=(--output_dir "${waves_dir}/$2" --wav_scp "${speech}")
    if [ "${ngpu}" -gt 0 ]; then
        command="${cuda_cmd} --gpu 1"
        options+=(--device cuda)
    fi
    split_keys "${speech}" "${logdir}"
    # shellcheck disable=SC2086
    ${command} JOB=1:"${jobs}" "${logdir}/dump.JOB.log" \
        ${python} -m espnet_distill.bin.dump_waves "${options[@]}" \
            --key_file "${logdir}/keys.JOB.scp" \
        || fail "dump of waves failed: $(reason "${logdir}"/dump.*.log)"
    # shellcheck disable=SC2086
    ${train_cmd} "${logdir}/finish.log" \
        ${python} -m espnet_distill.bin.dump_waves "${options[@]}" --finish \
        || fail "dump of waves failed: $(reason "${logdir}/finish.log")"
}

prepare_vocoder() {  # write the training configuration, refuse what cannot work
    mkdir -p "${vocoder_exp}"
    {
        cat "${vocoder_config}"
        echo
        cat "${vocoder_preset}"
        echo "text2mel: '$(dirname "${student_model}")'"
        echo "teacher_dump: '${waves_dir}'"
        [[ -z ${vocoder_speech} || ${vocoder} = harmonic_* ]] \
            || grep -q "^distill_conf:" "${vocoder_config}" \
            || echo "distill_conf: {objectives: [{type: stft, complex: 0.0}]}"
    } > "${vocoder_exp}/train.yaml.part"
    mv "${vocoder_exp}/train.yaml.part" "${vocoder_exp}/train.yaml"
    # shellcheck disable=SC2086
    espnet-distill check --planned "${vocoder_exp}/train.yaml" ${vocoder_args}
}

train_vocoder() {
    # shellcheck disable=SC2086
    OMP_NUM_THREADS=${num_threads} ${cuda_cmd} --gpu "${ngpu}" "${vocoder_exp}/train.log" \
        ${python} -m espnet2.bin.gan_tts_train --config "${vocoder_exp}/train.yaml" \
            --output_dir "${vocoder_exp}" --resume true --ngpu "${ngpu}" ${vocoder_args} \
        || fail "vocoder failed: $(reason "${vocoder_exp}/train.log")"
}

pair_up() {  # pair_up FOLDER: the student, and which vocoder it is heard with
    mkdir -p "$1"
    cp "$(dirname "${student_model}")/config.yaml" "$1"
    ln -sf "$(realpath "${student_model}")" "$1/model.pth"
    echo "${vocoder_exp}/${vocoder_model}" > "$1/vocoder_file"
}

dump_teacher() {  # dump_teacher SET SPLIT: a job array, then a look at what it wrote
    local logdir=${dump_dir}/$2/log command="${train_cmd}" jobs
    local options="--config ${distill_config} --output_dir ${dump_dir}/$2"
    [ "${ngpu}" -eq 0 ] || command="${cuda_cmd} --gpu 1"
    split_keys "${dumpdir}/raw/$1/text" "${logdir}"
    # shellcheck disable=SC2086
    ${command} JOB=1:"${jobs}" "${logdir}/dump.JOB.log" \
        ${python} -m espnet_distill.bin.dump_teacher ${options} $(data_of "$1" "$2") \
            --token_list "${token_list}" --key_file "${logdir}/keys.JOB.scp" \
            --ngpu "${ngpu}" --batch_size "${dump_batch_size}" \
        || fail "teacher dump failed: $(reason "${logdir}"/dump.*.log)"
    # shellcheck disable=SC2086
    ${train_cmd} "${logdir}/finish.log" \
        ${python} -m espnet_distill.bin.finish_dump ${options} \
            --text "${dumpdir}/raw/$1/text" \
        || fail "teacher dump failed: $(reason "${logdir}/finish.log")"
}

is_made() {  # is_made RESULT: whether ${from} is what its made_from says
    [ "$(cat "$1/made_from" 2> /dev/null)" = "${from}" ] || return 1
    log "Made before: $1"
}

speak() {  # speak EXPERIMENT CHECKPOINT: synthesis, unless the same was made before
    local result=$1/${inference_tag} from set file given=()
    for set in ${test_sets}; do
        for file in text utt2sid utt2lid; do
            given+=(--file "${set}/${file}" "${dumpdir}/raw/${set}/${file}")
        done
        given+=(--listed "${set}/wav.scp" "${dumpdir}/raw/${set}/wav.scp")
        for file in "${dumpdir}"/*/"${set}"/*.scp; do  # speaker embeddings
            [[ ${tts_opts} != *"--use_spk_embed true"* ]] || given+=(--listed "${file}" "${file}")
        done
    done
    from=$(made_from --experiment "$1/$2" --vocoder vocoder "${vocoder_file}" \
        --words options "tts.sh ${tts_opts}" "${given[@]}")
    ! is_made "${result}" || return 0
    rm -f "${result}/made_from"
    run_tts 8 8 --tts_exp "$1" --inference_model "$2" \
        --inference_tag "${inference_tag}" --vocoder_file "${vocoder_file}"
    echo "${from}" > "${result}/made_from"
}

require_told() {  # require_told CONFIG: what its model is told besides the text, is given
    local pair
    for pair in spks=use_sid langs=use_lid spk_embed_dim=use_spk_embed; do
        ! grep -qE "^[^#]*\b${pair%=*}: *[1-9]" "$1" \
            || [[ ${tts_opts} == *"--${pair#*=} true"* ]] \
            || fail "$1: tts_conf.${pair%=*}: wants --tts_opts \"--${pair#*=} true\""
    done
}

keep_listed() {  # keep_listed SET KIND: dump/raw/SET_KIND, the utterances with durations
    local raw=${dumpdir}/raw/$1 list=${align_dir}/$1_$2/utterances file
    utils/subset_data_dir.sh --utt-list "${list}" "${raw}" "${raw}_$2"
    cp "${raw}/feats_type" "${raw}_$2"
    for file in utt2sid utt2lid; do
        [ ! -e "${raw}/${file}" ] \
            || utils/filter_scp.pl "${list}" "${raw}/${file}" > "${raw}_$2/${file}"
    done
    file=${dumpdir}/$(spk_embed_tag)/$1
    [ ! -d "${file}" ] || ln -sfn "$1" "${file}_$2"
}

attention_durations() {  # SET_focused: the utterances whose attention is sharp enough
    local set
    run_tts 8 8 --test_sets "${train_set} ${valid_set}" --tts_exp "${teacher_exp}" \
        --inference_model "$(basename "${teacher_model}")" --inference_tag teacher_forced \
        --inference_args "--use_teacher_forcing true"
    for set in ${train_set} ${valid_set}; do
        espnet-distill attention-durations "${teacher_exp}" "${teacher_exp}/teacher_forced/${set}" \
            "${align_dir}/${set}_focused" ${least_focus_rate:+--least_focus_rate ${least_focus_rate}}
        keep_listed "${set}" focused
    done
}

use_aligned() {  # use_aligned VARIABLE: its set without what the aligner has left out
    [ ! -e "${align_dir}/${!1}_aligned" ] || printf -v "$1" %s "${!1}_aligned"
}

read_more() {  # SET_TEXT: the recordings, and what the teacher reads
    local raw=${dumpdir}/raw/${train_set} decoded=${teacher_exp}/${reading}/${reading}
    local asked=${dumpdir}/raw/${reading} spoken=${align_dir}/${reading} file
    local test_sets=${reading} inference_tag=${reading}
    mkdir -p "${asked}" "${raw}_${reading}" "${align_dir}/${train_set}_${reading}"
    LC_ALL=C sort "${more_text}" > "${asked}/text"
    awk -v speaker="$(awk 'NR == 1 {print $2}' "${raw}/utt2spk")" \
        '{print $1, speaker}' "${asked}/text" > "${asked}/utt2spk"
    awk -v recording="$(awk 'NR == 1 {print $2}' "${raw}/wav.scp")" \
        '{print $1, recording}' "${asked}/text" > "${asked}/wav.scp"  # nobody listens
    echo raw > "${asked}/feats_type"
    speak "${teacher_exp}" "$(basename "${teacher_model}")"
    espnet-distill pseudo-label "${decoded}" "${asked}" "${spoken}" --n_shift "${n_shift}"
    for file in text utt2spk wav.scp; do
        LC_ALL=C sort "${raw}/${file}" "${spoken}/${file}" > "${raw}_${reading}/${file}"
    done
    cp "${raw}/feats_type" "${raw}_${reading}"
    LC_ALL=C sort "${align_dir}/${train_set}/durations" "${spoken}/durations" \
        > "${align_dir}/${train_set}_${reading}/durations"
}

begin() {  # begin NUMBER TITLE: true if the stage is asked for
    current_stage=$1
    [ "${stage}" -le "$1" ] && [ "${stop_stage}" -ge "$1" ] && log "Stage $1: $2"
}

what_to_learn() {  # the plugin's own keys
    [ -z "${objectives_config}" ] || cat "${objectives_config}"
    echo
    local model
    echo "teacher:"
    echo "- '${teacher_model}'"
    for model in ${more_teachers}; do
        echo "- '${model}'"
    done
    ! ${teacher_dump} || echo "teacher_dump: '${dump_dir}'"
}

named_model() {  # named_model CONFIG: its tts
    sed -nE "s/^tts: *[\"']?([A-Za-z0-9_]+).*/\1/p" "$1"
}

prepare_student() {  # its training alone: how, and which model
    mkdir -p "${student_exp}"
    {
        cat "${student_config}"
        echo  # a file may end without a newline
        [ -z "${student}" ] || cat "${preset}"
    } > "${student_train}.part"
    mv "${student_train}.part" "${student_train}"
    ! ${warm_start} || [ "$(named_model "${teacher_yaml}")" = "$(named_model "${student_train}")" ] \
        || fail "--warm_start true: the student is $(named_model "${student_train}"), its teacher $(named_model "${teacher_yaml}")"
}

prepared=false
prepare_distillation() {  # write the training configuration, refuse what cannot work
    local options=""
    ! ${prepared} || return 0
    prepared=true
    {
        cat "${student_train}"
        ! ${warm_start} || echo "init_param: ['${student_exp}/warm_start/init.pth:tts:tts']"
        ! ${distill} || what_to_learn
    } > "${distill_config}.part"
    mv "${distill_config}.part" "${distill_config}"
    ${distill} || return 0
    [ ! -e "${token_list}" ] || options="--token_list ${token_list}"
    [ ! -e "${bpemodel}" ] || options+=" --token_type bpe ${front_end}"
    # shellcheck disable=SC2086
    espnet-distill check --planned --vocoder_file "${vocoder_file}" "${distill_config}" ${options} \
        --feats_extract_conf fs="${fs}" --feats_extract_conf n_fft="${n_fft}" \
        --feats_extract_conf hop_length="${n_shift}" --feats_extract_conf win_length="${win_length}" \
        --feats_extract_conf n_mels="${n_mels}" \
        --feats_extract_conf fmin="${fmin}" --feats_extract_conf fmax="${fmax}" \
        --pitch_extract_conf f0min="${f0min}" --pitch_extract_conf f0max="${f0max}" \
        ${student_args}
}

statistics_from() {  # data and settings
    local set given=()
    for set in ${train_set} ${valid_set}; do
        given+=(--listed "${set}/wav.scp" "${dumpdir}/raw/${set}/wav.scp"
            --file "${set}/text" "${dumpdir}/raw/${set}/text"
            --file "${set}/durations" "${align_dir}/${set}/durations")
    done
    ! ${teacher_stats} || given+=(--file teacher "${teacher_model}")
    made_from "${given[@]}" --file tokens "${token_list}" --words settings \
        "${fs} ${n_fft} ${n_shift} ${win_length} ${n_mels} ${fmin} ${fmax} ${f0min} ${f0max} ${teacher_stats}"
}

cut_out_of_teacher() {  # initial weights, those that the training has begun with
    local result=${student_exp}/warm_start from
    from=$(made_from --experiment "${teacher_model}" --keys model "${student_train}" tts,tts_conf)
    if [ -e "${student_exp}/checkpoint.pth" ]; then
        [ ! -e "${result}/made_from" ] || [ "$(cat "${result}/made_from")" = "${from}" ] \
            || fail "${student_exp}: was begun with weights of another teacher or of a student of another size; name another --student_tag"
        return 0
    fi
    rm -rf "${result}"
    espnet-distill derive "${teacher_model}" "${result}" --config "${student_train}"
    echo "${from}" > "${result}/made_from"
}

take_out_pruned() {  # take_out_pruned CHECKPOINT EXPERIMENT: what the masks have left
    local from kind given=()
    [ -e "$1" ] || [ ! -e "$2/model.pth" ] || return 0
    for kind in feats pitch energy; do
        given+=(--file "${kind}_stats" "${stats_dir}/train/${kind}_stats.npz")
    done
    from=$(made_from --experiment "$1" --file bpemodel "${bpemodel}" \
        --words stats "${stats_dir}" "${given[@]}")
    ! is_made "$2" || return 0
    log "Compacting $1 -> $2"
    rm -rf "$2"
    espnet-distill compact "$1" "$2"
    # like the others of this recipe it names statistics by their place in it
    sed -E -i "s#: .*/((feats|pitch|energy)_stats\.npz)#: ${stats_dir}/train/\1#" "$2/config.yaml"
    [ -z "${front_end}" ] || sed -i "s#^bpemodel: .*#bpemodel: ${bpemodel}#" "$2/config.yaml"
    cp -r "$(dirname "$1")/images" "$2"
    echo "${from}" > "$2/made_from"
}

for config in "${student_config}" "${teacher_yaml}"; do
    require_told "${config}"
done
for id in sid lid; do
    [[ ${tts_opts} == *"--use_${id} true"* ]] && [ "${stage}" -gt 1 ] || continue
    for set in ${train_set} ${valid_set} ${test_sets}; do
        file=${dumpdir}/raw/${set}/utt2${id}
        [ -e "${file}" ] || fail "${file}: no such file; --use_${id} true makes it in stage 1"
    done
done

if [ "${token_type}" = bpe ] && [ "${stage}" -gt 1 ] && [ ! -e "${bpemodel}" ]; then
    [ -n "${given_bpemodel}" ] || fail "${bpemodel}: no such file; run stage 1"
    take_bpemodel
fi

take_ids() {  # take_ids speakers|languages FILE: of the teacher, who may know others
    local folder folders="" set
    for set in ${train_set} ${valid_set} ${test_sets}; do
        for folder in "${dumpdir}/raw/org/${set}" "${dumpdir}/raw/${set}"; do
            [ ! -e "${folder}/$2" ] || folders+=" ${folder}"
        done
    done
    # shellcheck disable=SC2086
    espnet-distill inherit "${teacher_model}" "--$1" ${folders}
}

require_ids() {  # require_ids CONFIG: its model has room for the data's speakers and languages
    local ids key most room
    for key in spks:utt2sid langs:utt2lid; do
        ids=${dumpdir}/raw/${train_set}/${key#*:} key=${key%:*}
        [ -e "${ids}" ] || continue
        most=$(sort -nk 2 "${ids}" | tail -n 1 | cut -d " " -f 2)
        room=$(sed -nE "s/^[^#]*\b${key}: *([0-9]+).*/\1/p" "$1")
        [ -z "${room}" ] || [ "${room}" -gt "${most}" ] \
            || fail "$1: tts_conf.${key}: ${room} has no room for id ${most} of ${ids}"
    done
}

with_bpemodel() {  # tts.sh's python in stage 10, which leaves a sentencepiece model out
    ${packer} "$@" --option "${bpemodel}"
}

recorded_set=${train_set} recorded_valid=${valid_set}
mkdir -p "${expdir}"
echo "${teacher_model}" > "${expdir}/teacher_model"  # for scripts that compare
SECONDS=0

if [ "${stage}" -le 6 ] && [ "${stop_stage}" -ge 3 ]; then
    prepare_student
fi
if [ "${stage}" -le 6 ] && [ "${stop_stage}" -ge 5 ]; then
    ${train_teacher} && [ "${stage}" -le 4 ] || prepare_distillation
fi

if begin 1 "Data preparation and token list"; then
    if [ "${token_type}" = bpe ]; then
        run_tts 1 4
        sentencepieces
    else
        run_tts 1 5
    fi
    ${train_teacher} || espnet-distill inherit "${teacher_model}" --token_list "${token_list}"
    ${train_teacher} || [[ ${tts_opts} != *"--use_sid true"* ]] || take_ids speakers utt2sid
    ${train_teacher} || [[ ${tts_opts} != *"--use_lid true"* ]] || take_ids languages utt2lid
    check_texts
fi
require_ids "${student_config}"
require_ids "${teacher_yaml}"

if [ "${durations_from}" = aligner ] && begin 2 "Alignment: durations -> ${align_dir}"; then
    # shellcheck disable=SC2086
    OMP_NUM_THREADS=${num_threads} ${cuda_cmd} --gpu "${ngpu}" "${align_dir}/align.log" \
        ${python} -m espnet_distill.data.aligner \
            --ngpu "${ngpu}" --steps "${align_steps}" --max_unaligned "${max_unaligned}" \
            --token_list "${token_list}" --token_type "${token_type}" ${front_end} \
            --cleaner "${cleaner}" --g2p "${g2p}" \
            --fs "${fs}" --n_fft "${n_fft}" --n_shift "${n_shift}" --win_length "${win_length}" \
            --data "${dumpdir}/raw/${train_set}" \
            --also "${dumpdir}/raw/${valid_set}" \
            $(for set in ${test_sets}; do echo "${dumpdir}/raw/${set}"; done) \
            --output_dir "${align_dir}" \
        || fail "alignment failed: $(reason "${align_dir}/align.log")"
    grep -h "utterances are not aligned" "${align_dir}/align.log" || true
    for set in ${train_set} ${valid_set}; do
        [ ! -e "${align_dir}/${set}_aligned" ] || keep_listed "${set}" aligned
    done
fi

if [ "${durations_from}" = teacher ]; then
    if begin 2 "Durations of ${teacher_exp}'s attention -> ${align_dir}"; then
        attention_durations
    fi
    train_set+=_focused
    valid_set+=_focused
else
    use_aligned train_set
    use_aligned valid_set
fi

if [ -n "${more_text}" ]; then
    if begin 3 "Reading of ${more_text} by ${teacher_exp}"; then
        read_more
    fi
    [ "${stop_stage}" -lt 3 ] || LC_ALL=C sort "${more_text}" | cmp -s - "${dumpdir}/raw/${reading}/text" \
        || fail "--more_text ${more_text}: is not what stage 3 has read as ${reading}; run it, or rename the file"
    train_set+=_${reading}
fi

if begin 3 "Statistics: ${stats_dir}"; then
    rm -f "${stats_dir}/made_from"
    run_tts 6 6 --train_config "${student_train}" --teacher_dumpdir "${align_dir}" \
        --write_collected_feats true
    ${train_teacher} || ! ${teacher_stats} \
        || espnet-distill inherit "${teacher_model}" --statistics "${stats_dir}/train"
    statistics_from > "${stats_dir}/made_from"
elif [ "${stage}" -gt 3 ] && [ "${stage}" -le 6 ] && [ -e "${stats_dir}/made_from" ]; then
    statistics_from | cmp -s - "${stats_dir}/made_from" \
        || fail "${stats_dir}: is of other data or settings; run stage 3 again, or name another --stats_dir"
fi

if begin 4 "Teacher: ${teacher_exp}"; then
    if ${train_teacher}; then
        run_training "${teacher_config}" "${teacher_exp}"
    else
        log "Given: ${teacher_model}"
    fi
fi

if ${distill} && ${teacher_dump} && begin 5 "Teacher dump: ${teacher_exp} -> ${dump_dir}"; then
    prepare_distillation
    dump_teacher "${train_set}" train
    dump_teacher "${valid_set}" valid
fi

if begin 6 "Student: ${student_exp}"; then
    prepare_distillation
    ! ${warm_start} || cut_out_of_teacher
    run_training "${distill_config}" "${student_exp}" "${student_args}"
fi

student_model=${student_exp}/${inference_model}
if grep -qsE "type: *prune\b" "${distill_config}" && [ "${stop_stage}" -ge 6 ]; then
    student_model=${student_exp}_compact/model.pth
    take_out_pruned "${student_exp}/${inference_model}" "${student_exp}_compact"
fi
[ ! -d "${student_exp}" ] || echo "${student_model}" > "${student_exp}/student_model"

if begin 7 "Synthesis of ${test_sets} by teacher and student"; then
    speak "${teacher_exp}" "$(basename "${teacher_model}")"
    speak "$(dirname "${student_model}")" "$(basename "${student_model}")"
fi

if begin 8 "Evaluation: ${evaldir}"; then
    durations=${align_dir}/${eval_set}/durations
    [ -e "${durations}" ] && durations="--durations ${durations}" || durations=""
    # shellcheck disable=SC2086
    espnet-distill evaluate "${teacher_model}" "${student_model}" \
        --data "${dumpdir}/raw/${eval_set}" --out "${evaldir}" \
        --inference_tag "${inference_tag}" --vocoder_file "${vocoder_file}" ${durations}
fi

if begin 9 "Packing of ${student_model}"; then
    if [ -n "${front_end}" ]; then
        export -f with_bpemodel
        export bpemodel packer=${python}
        python=with_bpemodel
    fi
    run_tts 10 10 --skip_packing false --train_set "${recorded_set}" \
        --tts_exp "$(dirname "${student_model}")" \
        --inference_model "$(basename "${student_model}")"
    [ -z "${front_end}" ] || python=${packer}
fi

if [ -n "${vocoder}" ] && [ "${stop_stage}" -ge 10 ]; then
    [ "${stage}" -gt 11 ] || prepare_vocoder

    if begin 10 "Waves of ${vocoder_speech:-${vocoder_file}} -> ${waves_dir}"; then
        dump_waves "${recorded_set}" train
        dump_waves "${recorded_valid}" valid
    fi

    if begin 11 "Vocoder: ${vocoder_exp}"; then
        train_vocoder
    fi

    if begin 12 "The student through ${vocoder_exp}: ${evaldir}_pair"; then
        speak "${teacher_exp}" "$(basename "${teacher_model}")"
        speak "$(dirname "${student_model}")" "$(basename "${student_model}")"
        pair=$(dirname "${student_model}")_pair
        pair_up "${pair}"
        vocoder_file=${vocoder_exp}/${vocoder_model} speak "${pair}" model.pth
        espnet-distill evaluate "${teacher_model}" "${student_model}" "${pair}/model.pth" \
            --data "${dumpdir}/raw/${eval_set}" --out "${evaldir}_pair" \
            --inference_tag "${inference_tag}" --vocoder_file "${vocoder_file}"
    fi
fi

log "Successfully finished. [elapsed=${SECONDS}s]"
