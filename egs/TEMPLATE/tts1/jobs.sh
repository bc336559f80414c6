# A few jobs at a time; after one has failed no other is started.

failed=false

start() {  # start COMMAND...: in the background, once fewer than ${parallel} run
    while [ "$(jobs -rp | wc -l)" -ge "${parallel}" ]; do
        wait -n || failed=true
    done
    ! ${failed} || finish
    "$@" &
}

finish() {  # wait for all, and fail if one has failed
    while [ -n "$(jobs -p)" ]; do
        wait -n || failed=true
    done
    ! ${failed} || exit 2
}
