#!/usr/bin/env bash
# A VITS as the teacher, or a JETS (TTS=jets): trained here by ESPnet's GAN task, then
# distilled from its speech.
set -euo pipefail

tts=${TTS:-vits}
case ${tts} in
    vits) features="--feats_extract linear_spectrogram --feats_normalize none" ;;
    jets) features="--n_mels 80 --fmin 80 --fmax 7600" ;;
    *) echo "$0: error: TTS=${tts}: is neither vits nor jets" >&2; exit 2 ;;
esac

. ./path.sh
. ./link_espnet.sh
if [ ! -e "exp/${tts}/train.total_count.ave.pth" ]; then
    # shellcheck disable=SC2086
    ./tts.sh --stage 1 --stop_stage 7 --tts_task gan_tts ${features} \
        --train_set train --valid_set dev --test_sets test --srctexts data/train/text \
        --fs 16000 --n_fft 1024 --n_shift 256 --token_type char --cleaner none --g2p none \
        --train_config "conf/tuning/train_${tts}.yaml" \
        --tts_exp "exp/${tts}" --tts_stats_dir "exp/${tts}_stats" \
        --ngpu 0 --nj 1 --python "python3 -m espnet_distill"
fi

./run.sh --train_teacher false --teacher "exp/${tts}" --expdir "exp/of_${tts}" "$@"
