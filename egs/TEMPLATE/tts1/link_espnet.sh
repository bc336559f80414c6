# Link scripts and configurations of ESPnet's recipe tree into this folder.
# Existing files of the same name are kept.

_root=$(espnet-distill espnet-root)
_recipe=${_root}/egs2/$(basename "$(dirname "${PWD}")")/tts1  # ESPnet's recipe of this corpus
_link() {
    if [ -L "$2" ] || [ ! -e "$2" ]; then
        ln -sfn "$1" "$2"
    fi
}
for _name in utils steps scripts pyscripts; do
    _link "${_root}/egs2/TEMPLATE/asr1/${_name}" "${_name}"
done
for _name in tts.sh sid; do
    _link "${_root}/egs2/TEMPLATE/tts1/${_name}" "${_name}"
done
for _name in slurm queue pbs; do
    _link "${_root}/egs2/TEMPLATE/asr1/conf/${_name}.conf" "conf/${_name}.conf"
done
if [ -d "${_recipe}" ]; then
    _link "${_recipe}/local" local
    _link "${_recipe}/conf" conf/espnet
fi
