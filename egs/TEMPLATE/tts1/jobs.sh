# Run the students of one comparison, up to ${parallel} jobs at a time; no job is started
# after a failure. Logs are in ${root}, i.e. ${expdir}/${tag}. All students get ${options}.

failed=false

fail() {
    echo "$0: error: $*" >&2
    exit 2
}

require_same_options() {  # require_same_options NAME OPTIONS...: refuse a training with others
    local file=${root}/$1.made_from from words
    words=$(sed -E 's/--(vocoder_file|inference_tag|inference_model) [^ ]*//g' <<< "${*:2} ${options}")
    from=$(python3 -m espnet_distill.recipes.made_from --words options "run.sh ${words}")
    if [ -e "${root}/$1/checkpoint.pth" ] && [ "$(cat "${file}" 2> /dev/null)" != "${from}" ]; then
        fail "${root}/$1: was trained with other options; name another --tag, or remove it and ${file}"
    fi
    echo "${from}" > "${file}"
}

run_stage() {  # run_stage NUMBER NAME [OPTIONS]: a stage of run.sh for the student ${tag}/NAME
    [ "$1" -ne 6 ] || require_same_options "${@:2}"
    # shellcheck disable=SC2086
    ./run.sh --stage "$1" --stop_stage "$1" --num_threads 1 --expdir "${expdir}" \
        --student_tag "${tag}/$2" "${@:3}" ${options} >> "${root}/$2.log" 2>&1 \
        || fail "see ${root}/$2.log"
    echo "$(date '+%H:%M:%S') stage $1 of $2"
}

start() {  # start COMMAND...: in the background, once fewer than ${parallel} jobs run
    while [ "$(jobs -rp | wc -l)" -ge "${parallel}" ]; do
        wait -n || failed=true
    done
    ! ${failed} || finish
    "$@" &
}

finish() {  # wait for all jobs; exit if one has failed
    while [ -n "$(jobs -p)" ]; do
        wait -n || failed=true
    done
    ! ${failed} || exit 2
}
