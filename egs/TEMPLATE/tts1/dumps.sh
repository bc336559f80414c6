#!/usr/bin/env bash
# Job arrays of distill.sh and replace_decoder.sh, which source this file: dumps that a
# student is trained on.
# shellcheck disable=SC2154 # variables of those scripts

fail() {
    echo "$0: error: $*" >&2
    exit 2
}

run_job() {  # run_job TITLE SUBMIT LOG PROGRAM...: on failure, print the log's last error
    # shellcheck disable=SC2086
    $2 "$3" ${python} -m "${@:4}" \
        || fail "$1: $(grep -hE "[Ee]rror: " ${3/JOB/*} | tail -n 1)"
}

run_array() {  # run_array TITLE TABLE LOGDIR PROGRAM...: a job array over parts of a table
    local submit=${train_cmd} keys jobs
    [ "${ngpu}" -eq 0 ] || submit="${cuda_cmd} --gpu 1"
    jobs=$(wc -l < "$2")
    [ "${jobs}" -lt "${nj}" ] || jobs=${nj}
    mkdir -p "$3"
    rm -f "$3"/dump.*.log  # an earlier run's, which had more jobs
    keys=$(seq -f "$3/keys.%g.scp" "${jobs}")
    # shellcheck disable=SC2086
    utils/split_scp.pl "$2" ${keys}
    run_job "$1" "${submit} JOB=1:${jobs}" "$3/dump.JOB.log" \
        "${@:4}" --key_file "$3/keys.JOB.scp"
}

dump_teacher() {  # dump_teacher SET SPLIT [data options]: the teacher's taps of a set
    local text=${dumpdir}/raw/$1/text log=${dump_dir}/$2/log title="teacher dump failed"
    local output=(--config "${distill_config}" --output_dir "${dump_dir}/$2")
    run_array "${title}" "${text}" "${log}" espnet_distill.bin.dump_teacher "${output[@]}" \
        "${@:3}" --token_list "${token_list}" --ngpu "${ngpu}" --batch_size "${dump_batch_size}"
    run_job "${title}" "${train_cmd}" "${log}/finish.log" \
        espnet_distill.bin.finish_dump "${output[@]}" --text "${text}"
}

dump_waves() {  # dump_waves TABLE SPLIT: waveforms and mels that the small vocoder learns from
    local log=${waves_dir}/$2/log title="dump of waves failed"
    local program=(espnet_distill.bin.dump_waves "${wave_options[@]}"
        --output_dir "${waves_dir}/$2" --wav_scp "$1")
    run_array "${title}" "$1" "${log}" "${program[@]}"
    run_job "${title}" "${train_cmd}" "${log}/finish.log" "${program[@]}" --finish
}

dump_speech() {  # dump_speech TEXT OUT TEACHER [options]: speech of a text-to-waveform teacher
    local log=$2/log title="dump of speech failed"
    local program=(espnet_distill.bin.dump_speech --teacher "$3" --output_dir "$2" "${@:4}"
        --ngpu "${ngpu}" --noise_scale "${noise_scale}" --noise_scale_dur "${noise_scale_dur}")
    # with these, a job of many lengths takes 1 GB of memory instead of 2
    export ONEDNN_PRIMITIVE_CACHE_CAPACITY=4 MALLOC_ARENA_MAX=1
    run_array "${title}" "$1" "${log}" "${program[@]}"
    unset ONEDNN_PRIMITIVE_CACHE_CAPACITY MALLOC_ARENA_MAX
    run_job "${title}" "${train_cmd}" "${log}/finish.log" "${program[@]}" --finish
}

dump_set() {  # dump_set SET OUT [data options]: the teacher's speech as a data folder
    if [ -n "${speech_script}" ]; then
        mkdir -p "${speech_dir}/$1/log"
        ${train_cmd} "${speech_dir}/$1/log/dump.log" \
            "${speech_script}" "${dumpdir}/raw/$1/text" "${speech_dir}/$1" \
            || fail "${speech_script}: $(grep -v "^# " "${speech_dir}/$1/log/dump.log" | tail -n 1)"
    else
        dump_speech "${dumpdir}/raw/$1/text" "${speech_dir}/$1" "${teacher_model}" "${@:3}"
    fi
    espnet-distill pseudo-label "${speech_dir}/$1" "${dumpdir}/raw/$1" "$2" \
        --n-shift "${duration_shift}"
}

dump_f0() {  # dump_f0 SPEECH TEXT [options]: F0 of a dump of speech with latents
    local log=$1/log_f0
    local program=(espnet_distill.bin.dump_f0 --speech "$1" --f0min "${f0min}" --f0max "${f0max}"
        "${@:3}")
    run_array "F0 failed" "$2" "${log}" "${program[@]}"
    run_job "F0 failed" "${train_cmd}" "${log}/finish.log" "${program[@]}" --finish
}
