# The environment of every stage; ESPnet's tts.sh sources it too.

_venv=$(cd ../../.. && pwd)/.venv
if [ -x "${_venv}/bin/python3" ]; then
    export PATH=${_venv}/bin:${PATH}
fi
export PATH=${PWD}/utils:${PATH}

export LC_ALL=C                                     # one sorting order everywhere
export PYTHONIOENCODING=UTF-8 PYTHONUTF8=1          # phones are not ASCII
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}        # job arrays already fill the cores
export NCCL_SOCKET_IFNAME=${NCCL_SOCKET_IFNAME:-^lo,docker,virbr,vmnet,vboxnet}

# phonemizer needs an espeak-ng: the system's, or else the one of espeakng-loader
if [ -z "${PHONEMIZER_ESPEAK_LIBRARY:-}" ] && ! command -v espeak-ng > /dev/null; then
    eval "$(python3 -c '
try:
    import espeakng_loader as espeak
except ImportError:
    pass
else:
    print(f"export PHONEMIZER_ESPEAK_LIBRARY=\"{espeak.get_library_path()}\"")
    print(f"export ESPEAK_DATA_PATH=\"{espeak.get_data_path()}\"")')"
fi

if [ -e local/path.sh ]; then
    . local/path.sh
fi
