#!/usr/bin/env bash
# Distill an ESPnet text-to-mel teacher into a small student, with ESPnet's own tts.sh.

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
stop_stage=12        # Last stage to run.
ngpu=0               # Number of GPUs (0: CPU).
nj=2                 # Parallel jobs in data preparation and statistics.
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
# Empty: the teacher's value. Another value must equal the teacher's.
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
cleaner=             # [tacotron]
g2p=                 # [espeak_ng_english_us_vits]
nbpe=30              # Vocabulary size of a bpemodel that is trained.
teacher_stats=false  # Normalize with the statistics of a given teacher, not the data's.

# Alignment (durations for FastSpeech2)
durations_from=aligner  # Or teacher: the attention of an autoregressive teacher.
align_steps=600      # Updates of the aligner, of 16 utterances each.
max_unaligned=0.1    # Largest fraction of utterances that the aligner may leave out.
least_focus_rate=    # Threshold of a teacher's attention (default: 0.65 Tacotron2, 0.9 Transformer).

# Teacher and student
more_text=           # Text (<utterance> <words>) for pseudo-labels, synthesized by the teacher.
train_teacher=false  # Train the teacher with teacher_config in stage 4.
teacher_config=conf/train_teacher.yaml
teacher=             # Given teacher: an experiment folder, a .pth in one, a packed .zip or hub:owner/name.
more_teachers=       # Experiments or .pth to fuse with it, as configured in objectives_config.
student_config=conf/train_student.yaml
student=             # Student model: a preset of conf/students (empty: that of student_config).
objectives_config=${shared}/objectives/fastspeech2.yaml  # Empty: those of student_config.
student_tag=student  # The student's experiment is ${expdir}/${student_tag}.
student_args=        # More options for its training, e.g. "--seed 1".
distill=true         # False: train the student on the recordings, without a teacher.
warm_start=false     # Initialize from the teacher's weights (same class, at least as wide).
teacher_dump=true    # Dump the teacher's taps once (false: run the teacher online).
dump_dir=            # Folder of the dump (default: ${expdir}/teacher_dump).
dump_batch_size=8    # Utterances per batch of the teacher.

# Small vocoder: stages 10 to 12, which run only with --vocoder
vocoder=             # Preset of conf/vocoders, distilled from vocoder_file.
vocoder_speech=      # Or trained on speech: "recordings", or the output of tts.sh 8, of e.g. a
                     # VITS, for the same sets (<vocoder_speech>/<set>/wav/wav.scp).
vocoder_config=${shared}/training/vocoder.yaml  # Its training configuration.
vocoder_tag=vocoder  # Its experiment is ${expdir}/${vocoder_tag}.
vocoder_args=        # More options for its training, e.g. "--max_epoch 2".
vocoder_model=train.total_count.ave.pth  # Its checkpoint.

# Synthesis and evaluation
inference_model=train.loss.ave.pth  # Checkpoint of the student (and of a teacher trained here).
vocoder_file=none    # A HiFi-GAN generator (none: Griffin-Lim).
inference_tag=       # Folder of the speech in each experiment (default: ${student_tag}_decode).
evaldir=             # Folder of the table and the audio (default: ${expdir}/evaluation).

help_message="Usage: $0 [--stage 1] [--stop_stage 12] [--<variable> <value>] ...

Stages: 1 data (tts.sh 1-5), 2 alignment, 3 pseudo-labels for more_text and statistics
(tts.sh 6), 4 teacher, 5 teacher dump, 6 student (tts.sh 7), 7 synthesis (tts.sh 8),
8 evaluation, 9 packing of the student (tts.sh 10); with --vocoder also 10 waveforms of
--vocoder_file for the recordings' mels (or --vocoder_speech), 11 the small vocoder,
12 synthesis and evaluation of the student with it. A pruned student is compacted after
stage 6 into <student_tag>_compact, which later stages use.
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

fail() {
    echo "$0: error: $*" >&2
    exit 2
}

made_from() {  # made_from OPTIONS: checksums of a result's inputs, one per line
    python3 -m espnet_distill.recipes.made_from "$@" || exit 2
}

reason() {  # reason LOG...: the last error line in a job's logs
    grep -hE "[Ee]rror: " "$@" | tail -n 1
}

check_texts() {  # check utterance ids, and more_text before its synthesis
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
    text_set=$(basename "${more_text}")
    [[ " ${train_set} ${valid_set} ${test_sets} " != *" ${text_set} "* ]] \
        || fail "--more_text ${more_text}: a set has its name; rename it"
fi
check_texts
stats_dir=${stats_dir:-${expdir}/tts_stats${text_set:+_${text_set}}}
dump_dir=${dump_dir:-${expdir}/teacher_dump${text_set:+_${text_set}}}
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
front_end=           # Front end options that tts.sh does not pass to a training.
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

tokenize() {  # tokenize TOKEN_TYPE OUTPUT [options]: tokenize the training texts
    local kind=$1 output=$2
    shift 2
    ${python} -m espnet2.bin.tokenize_text --token_type "${kind}" --cleaner "${cleaner}" \
        --field 2- --input "data/${train_set}/text" --output "${output}" "$@"
}

copy_bpemodel() {  # copy a given sentencepiece model into this recipe
    mkdir -p "$(dirname "${bpemodel}")"
    cp "${given_bpemodel}" "${bpemodel}.part"
    mv "${bpemodel}.part" "${bpemodel}"
}

make_sentencepieces() {  # stage 5 of tts.sh for bpe, as in asr.sh; tts.sh has no bpe
    local folder vocabulary=${given_bpemodel%.model}.vocab
    folder=$(dirname "${token_list}")
    mkdir -p "${folder}"
    if [ -n "${given_bpemodel}" ]; then
        copy_bpemodel
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
    if ! ${train_teacher}; then  # the vocabulary of the text; stage 1 inherits the teacher's
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

spk_embed_tag() {  # the value of tts.sh's option --spk_embed_tag
    local tag
    tag=$(sed -nE 's/.*--spk_embed_tag +([^ ]+).*/\1/p' <<< "${tts_opts}")
    echo "${tag:-espnet_spk}"
}

data_of() {  # data_of SET SPLIT: the data options that tts.sh passes to a training
    local set_dir=${dumpdir}/raw/$1 collected=${stats_dir}/$2/collect_feats data item
    data="${set_dir}/text,text,text ${set_dir}/wav.scp,speech,sound"
    data+=" ${align_dir}/$1/durations,durations,text_int"
    for item in pitch energy; do  # else the teacher extracts them
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

split_keys() {  # split_keys TABLE LOGDIR: write LOGDIR/keys.JOB.scp, set jobs to their number
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

dump_waves() {  # dump_waves SET SPLIT: target waveforms and mels of the small vocoder
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

prepare_vocoder() {  # write the training configuration, and check it
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

link_student_and_vocoder() {  # link_student_and_vocoder FOLDER: an experiment of both
    mkdir -p "$1"
    cp "$(dirname "${student_model}")/config.yaml" "$1"
    ln -sf "$(realpath "${student_model}")" "$1/model.pth"
    echo "${vocoder_exp}/${vocoder_model}" > "$1/vocoder_file"
}

dump_teacher() {  # dump_teacher SET SPLIT: a job array, then a check of its output
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

is_made() {  # is_made RESULT: whether RESULT/made_from equals ${from}
    [ "$(cat "$1/made_from" 2> /dev/null)" = "${from}" ] || return 1
    log "Made before: $1"
}

synthesize() {  # synthesize EXPERIMENT CHECKPOINT: skipped if the inputs are unchanged
    local result=$1/${inference_tag} from set file inputs=()
    for set in ${test_sets}; do
        for file in text utt2sid utt2lid; do
            inputs+=(--file "${set}/${file}" "${dumpdir}/raw/${set}/${file}")
        done
        inputs+=(--listed "${set}/wav.scp" "${dumpdir}/raw/${set}/wav.scp")
        for file in "${dumpdir}"/*/"${set}"/*.scp; do  # speaker embeddings
            [[ ${tts_opts} != *"--use_spk_embed true"* ]] || inputs+=(--listed "${file}" "${file}")
        done
    done
    from=$(made_from --experiment "$1/$2" --vocoder vocoder "${vocoder_file}" \
        --words options "tts.sh ${tts_opts}" "${inputs[@]}")
    ! is_made "${result}" || return 0
    rm -f "${result}/made_from"
    run_tts 8 8 --tts_exp "$1" --inference_model "$2" \
        --inference_tag "${inference_tag}" --vocoder_file "${vocoder_file}"
    echo "${from}" > "${result}/made_from"
}

require_tts_opts() {  # require_tts_opts CONFIG: tts_opts enables its model's ids and embeddings
    local item
    for item in spks=use_sid langs=use_lid spk_embed_dim=use_spk_embed; do
        ! grep -qE "^[^#]*\b${item%=*}: *[1-9]" "$1" \
            || [[ ${tts_opts} == *"--${item#*=} true"* ]] \
            || fail "$1: tts_conf.${item%=*}: wants --tts_opts \"--${item#*=} true\""
    done
}

make_subset() {  # make_subset SET KIND: dump/raw/SET_KIND, the utterances with durations
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

attention_durations() {  # make SET_focused, the utterances with sharp attention
    local set
    run_tts 8 8 --test_sets "${train_set} ${valid_set}" --tts_exp "${teacher_exp}" \
        --inference_model "$(basename "${teacher_model}")" --inference_tag teacher_forced \
        --inference_args "--use_teacher_forcing true"
    for set in ${train_set} ${valid_set}; do
        espnet-distill attention-durations "${teacher_exp}" "${teacher_exp}/teacher_forced/${set}" \
            "${align_dir}/${set}_focused" ${least_focus_rate:+--least_focus_rate ${least_focus_rate}}
        make_subset "${set}" focused
    done
}

use_aligned() {  # use_aligned VARIABLE: replace a set by its aligned subset, if there is one
    [ ! -e "${align_dir}/${!1}_aligned" ] || printf -v "$1" %s "${!1}_aligned"
}

synthesize_pseudo_labels() {  # make SET_TEXT, the recordings and the teacher's speech for more_text
    local raw=${dumpdir}/raw/${train_set} decoded=${teacher_exp}/${text_set}/${text_set}
    local source=${dumpdir}/raw/${text_set} labels=${align_dir}/${text_set} file
    local test_sets=${text_set} inference_tag=${text_set}
    mkdir -p "${source}" "${raw}_${text_set}" "${align_dir}/${train_set}_${text_set}"
    LC_ALL=C sort "${more_text}" > "${source}/text"
    awk -v speaker="$(awk 'NR == 1 {print $2}' "${raw}/utt2spk")" \
        '{print $1, speaker}' "${source}/text" > "${source}/utt2spk"
    awk -v recording="$(awk 'NR == 1 {print $2}' "${raw}/wav.scp")" \
        '{print $1, recording}' "${source}/text" > "${source}/wav.scp"  # tts.sh 8 requires one
    echo raw > "${source}/feats_type"
    synthesize "${teacher_exp}" "$(basename "${teacher_model}")"
    espnet-distill pseudo-label "${decoded}" "${source}" "${labels}" --n_shift "${n_shift}"
    for file in text utt2spk wav.scp; do
        LC_ALL=C sort "${raw}/${file}" "${labels}/${file}" > "${raw}_${text_set}/${file}"
    done
    cp "${raw}/feats_type" "${raw}_${text_set}"
    LC_ALL=C sort "${align_dir}/${train_set}/durations" "${labels}/durations" \
        > "${align_dir}/${train_set}_${text_set}/durations"
}

begin() {  # begin NUMBER TITLE: log a stage's title; true if the stage is to run
    current_stage=$1
    [ "${stage}" -le "$1" ] && [ "${stop_stage}" -ge "$1" ] && log "Stage $1: $2"
}

write_distill_keys() {  # print the keys of the plugin: teacher, dump, objectives
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

model_class() {  # model_class CONFIG: the value of its tts
    sed -nE "s/^tts: *[\"']?([A-Za-z0-9_]+).*/\1/p" "$1"
}

prepare_student() {  # write the stock part of its training configuration
    mkdir -p "${student_exp}"
    {
        cat "${student_config}"
        echo  # a file may end without a newline
        [ -z "${student}" ] || cat "${preset}"
    } > "${student_train}.part"
    mv "${student_train}.part" "${student_train}"
    ! ${warm_start} || [ "$(model_class "${teacher_yaml}")" = "$(model_class "${student_train}")" ] \
        || fail "--warm_start true: the student is $(model_class "${student_train}"), its teacher $(model_class "${teacher_yaml}")"
}

prepared=false
prepare_distillation() {  # write the training configuration, and check it
    local options=""
    ! ${prepared} || return 0
    prepared=true
    {
        cat "${student_train}"
        ! ${warm_start} || echo "init_param: ['${student_exp}/warm_start/init.pth:tts:tts']"
        ! ${distill} || write_distill_keys
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

statistics_from() {  # checksums of the data and settings of the statistics
    local set inputs=()
    for set in ${train_set} ${valid_set}; do
        inputs+=(--listed "${set}/wav.scp" "${dumpdir}/raw/${set}/wav.scp"
            --file "${set}/text" "${dumpdir}/raw/${set}/text"
            --file "${set}/durations" "${align_dir}/${set}/durations")
    done
    ! ${teacher_stats} || inputs+=(--file teacher "${teacher_model}")
    made_from "${inputs[@]}" --file tokens "${token_list}" --words settings \
        "${fs} ${n_fft} ${n_shift} ${win_length} ${n_mels} ${fmin} ${fmax} ${f0min} ${f0max} ${teacher_stats}"
}

init_from_teacher() {  # make the initial weights; a resumed training keeps its own
    local result=${student_exp}/warm_start from
    from=$(made_from --experiment "${teacher_model}" --keys model "${student_train}" tts,tts_conf)
    if [ -e "${student_exp}/checkpoint.pth" ]; then
        [ ! -e "${result}/made_from" ] || [ "$(cat "${result}/made_from")" = "${from}" ] \
            || fail "${student_exp}: was begun with weights of another teacher or of a student of another size; name another --student_tag"
        return 0
    fi
    rm -rf "${result}"
    espnet-distill derive "${teacher_model}" "${result}" --student-config "${student_train}"
    echo "${from}" > "${result}/made_from"
}

compact_student() {  # compact_student CHECKPOINT EXPERIMENT: remove pruned units
    local from kind inputs=()
    [ -e "$1" ] || [ ! -e "$2/model.pth" ] || return 0
    for kind in feats pitch energy; do
        inputs+=(--file "${kind}_stats" "${stats_dir}/train/${kind}_stats.npz")
    done
    from=$(made_from --experiment "$1" --file bpemodel "${bpemodel}" \
        --words stats "${stats_dir}" "${inputs[@]}")
    ! is_made "$2" || return 0
    log "Compacting $1 -> $2"
    rm -rf "$2"
    espnet-distill compact "$1" "$2"
    # name the statistics by relative paths, as the other experiments of this recipe do
    sed -E -i "s#: .*/((feats|pitch|energy)_stats\.npz)#: ${stats_dir}/train/\1#" "$2/config.yaml"
    [ -z "${front_end}" ] || sed -i "s#^bpemodel: .*#bpemodel: ${bpemodel}#" "$2/config.yaml"
    cp -r "$(dirname "$1")/images" "$2"
    echo "${from}" > "$2/made_from"
}

for config in "${student_config}" "${teacher_yaml}"; do
    require_tts_opts "${config}"
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
    copy_bpemodel
fi

inherit_ids() {  # inherit_ids speakers|languages FILE: write the teacher's ids into the data
    local folder folders="" set
    for set in ${train_set} ${valid_set} ${test_sets}; do
        for folder in "${dumpdir}/raw/org/${set}" "${dumpdir}/raw/${set}"; do
            [ ! -e "${folder}/$2" ] || folders+=" ${folder}"
        done
    done
    # shellcheck disable=SC2086
    espnet-distill inherit "${teacher_model}" "--$1" ${folders}
}

require_ids() {  # require_ids CONFIG: its model has embeddings for all ids of the data
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

pack_with_bpemodel() {  # python for stage 10 of tts.sh, which omits sentencepiece models
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
        make_sentencepieces
    else
        run_tts 1 5
    fi
    ${train_teacher} || espnet-distill inherit "${teacher_model}" --token_list "${token_list}"
    ${train_teacher} || [[ ${tts_opts} != *"--use_sid true"* ]] || inherit_ids speakers utt2sid
    ${train_teacher} || [[ ${tts_opts} != *"--use_lid true"* ]] || inherit_ids languages utt2lid
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
        [ ! -e "${align_dir}/${set}_aligned" ] || make_subset "${set}" aligned
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
        synthesize_pseudo_labels
    fi
    [ "${stop_stage}" -lt 3 ] || LC_ALL=C sort "${more_text}" | cmp -s - "${dumpdir}/raw/${text_set}/text" \
        || fail "--more_text ${more_text}: is not what stage 3 has read as ${text_set}; run it, or rename the file"
    train_set+=_${text_set}
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
    ! ${warm_start} || init_from_teacher
    run_training "${distill_config}" "${student_exp}" "${student_args}"
fi

student_model=${student_exp}/${inference_model}
if grep -qsE "type: *prune\b" "${distill_config}" && [ "${stop_stage}" -ge 6 ]; then
    student_model=${student_exp}_compact/model.pth
    compact_student "${student_exp}/${inference_model}" "${student_exp}_compact"
fi
[ ! -d "${student_exp}" ] || echo "${student_model}" > "${student_exp}/student_model"

if begin 7 "Synthesis of ${test_sets} by teacher and student"; then
    synthesize "${teacher_exp}" "$(basename "${teacher_model}")"
    synthesize "$(dirname "${student_model}")" "$(basename "${student_model}")"
fi

if begin 8 "Evaluation: ${evaldir}"; then
    durations=${align_dir}/${eval_set}/durations
    [ -e "${durations}" ] && durations="--durations ${durations}" || durations=""
    # shellcheck disable=SC2086
    espnet-distill evaluate "${teacher_model}" "${student_model}" \
        --data "${dumpdir}/raw/${eval_set}" --out "${evaldir}" \
        --inference-tag "${inference_tag}" --vocoder "${vocoder_file}" ${durations}
fi

if begin 9 "Packing of ${student_model}"; then
    if [ -n "${front_end}" ]; then
        export -f pack_with_bpemodel
        export bpemodel packer=${python}
        python=pack_with_bpemodel
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
        synthesize "${teacher_exp}" "$(basename "${teacher_model}")"
        synthesize "$(dirname "${student_model}")" "$(basename "${student_model}")"
        pair=$(dirname "${student_model}")_pair
        link_student_and_vocoder "${pair}"
        vocoder_file=${vocoder_exp}/${vocoder_model} synthesize "${pair}" model.pth
        espnet-distill evaluate "${teacher_model}" "${student_model}" "${pair}/model.pth" \
            --data "${dumpdir}/raw/${eval_set}" --out "${evaldir}_pair" \
            --inference-tag "${inference_tag}" --vocoder "${vocoder_file}"
    fi
fi

log "Successfully finished. [elapsed=${SECONDS}s]"
