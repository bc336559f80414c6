#!/usr/bin/env bash
# Replace the waveform decoder of a VITS or JETS by a small vocoder, from the experiment
# to the result: speech and latents of the teacher, the vocoder's training, the experiment.

set -euo pipefail
trap 'exit 130' INT  # ESPnet's programs exit with other statuses

# The presets of conf/, in the sources or in the installed package
shared=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../../conf" && pwd)

teacher=             # The VITS or JETS: an experiment folder, .pth, .zip or tag.
out=                 # The experiment to make.
train_set=train      # Sets whose texts are synthesized, folders of ${dumpdir}/raw.
valid_set=dev
data=                # More data of these sets, e.g. "utt2sid,sids,text_int".
dumpdir=dump
expdir=              # Folder of dump and vocoder (default: ${out}_decoder).
noise_scale=0.667    # Noise of a VITS in its latents
noise_scale_dur=0.8  # and in its durations.
f0min=50             # Range of F0 in Hz.
f0max=400
vocoder_preset=harmonic_istft_small  # Preset of conf/vocoders.
vocoder_config=${shared}/training/vocoder.yaml  # Training configuration.
vocoder_args=        # More options for the training, e.g. "--max_epoch 2".
ngpu=0               # Number of GPUs (0: CPU).
nj=2                 # Parallel jobs of the synthesis.
num_threads=$(nproc) # Threads of the training on CPU.
python="python3 -m espnet_distill"  # Command that runs ESPnet's programs.

help_message="Usage: $0 --teacher EXP --out OUT [--<variable> <value>] ...

What is finished is reused. Every variable at the head of this script is an option of the
same name."

# shellcheck source=egs/TEMPLATE/tts1/check_options.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/check_options.sh"
check_options "data python vocoder_args" "vocoder_args" "$@"
. ./path.sh
[ ! -e link_espnet.sh ] || . ./link_espnet.sh
. utils/parse_options.sh
. ./cmd.sh
# shellcheck source=egs/TEMPLATE/tts1/dumps.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/dumps.sh"

log() {
    echo "$(date '+%Y-%m-%dT%H:%M:%S') $*"
}

dump_latents() {  # dump_latents SET SPLIT: speech, latents and F0 of a set
    local raw=${dumpdir}/raw/$1 folder=${expdir}/latents/$2 item options=(--latents)
    for item in text,text,text ${data}; do
        options+=(--data_path_and_name_and_type "${raw}/${item}")
    done
    dump_speech "${raw}/text" "${folder}" "${teacher}" "${options[@]}"
    dump_f0 "${folder}" "${raw}/text"
}

[ $# -eq 0 ] || fail "no positional arguments are expected: $*"
[ -n "${teacher}" ] || fail "--teacher: missing; name a VITS or JETS experiment"
[ -n "${out}" ] || fail "--out: missing; name the experiment to make"
[ ! -e "${out}" ] || fail "--out ${out}: exists; name a new folder"
preset=${shared}/vocoders/${vocoder_preset}.yaml
[ -f "${preset}" ] || fail "--vocoder_preset: no such preset: ${vocoder_preset}"
for set in "${train_set}" "${valid_set}"; do
    for item in text ${data}; do
        path=${dumpdir}/raw/${set}/${item%%,*}
        [ -f "${path}" ] || fail "${path}: no such file; run stage 1, or name other sets"
    done
done
expdir=${expdir:-${out}_decoder}
mkdir -p "${expdir}"
python3 -m espnet_distill.recipes.decoder_training --config "${vocoder_config}" \
    --preset "${preset}" --latents "${expdir}/latents" --out "${expdir}/train.yaml" || exit 2
if [[ ${train_cmd} = run.pl* ]]; then  # print the progress that the logs report
    python3 -m espnet_distill.recipes.show_progress --parent $$ \
        "speech=${expdir}/latents" "decoder=${expdir}" &
    progress_pid=$!
    disown "${progress_pid}"
    trap 'kill "${progress_pid}" 2> /dev/null || true' EXIT
fi

log "Speech and latents of ${teacher} -> ${expdir}/latents"
dump_latents "${train_set}" train
dump_latents "${valid_set}" valid

log "Vocoder: ${expdir}"
# shellcheck disable=SC2086
OMP_NUM_THREADS=${num_threads} run_job "vocoder failed" "${cuda_cmd} --gpu ${ngpu}" \
    "${expdir}/train.log" espnet2.bin.gan_tts_train --ngpu "${ngpu}" --resume true \
    --multiprocessing_distributed true \
    --config "${expdir}/train.yaml" --output_dir "${expdir}" ${vocoder_args}

espnet-distill replace-decoder "${teacher}" "${expdir}" "${out}"
