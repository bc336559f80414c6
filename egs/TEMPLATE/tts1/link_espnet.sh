# Link what a recipe takes from ESPnet's own recipe tree into this folder.
# A file of the same name that stands here already is left alone.

_root=$(espnet-distill espnet-root)
_own=${_root}/egs2/$(basename "$(dirname "${PWD}")")/tts1  # ESPnet's of the same corpus
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
if [ -d "${_own}" ]; then
    _link "${_own}/local" local
    _link "${_own}/conf" conf/espnet
fi
