# Environment of every stage; ESPnet's tts.sh sources it, too.

_venv=$(cd ../../.. && pwd)/.venv
if [ -x "${_venv}/bin/python3" ]; then
    export PATH=${_venv}/bin:${PATH}
fi
export PATH=${PWD}/utils:${PATH}

export LC_ALL=C                                     # one sorting order everywhere
export PYTHONIOENCODING=UTF-8 PYTHONUTF8=1          # phones are not ASCII
# job arrays already use all cores; a Slurm job has the CPUs that it requested
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-1}}
# waiting threads spin briefly, then sleep; otherwise one busy core delays all threads
[ -n "${OMP_WAIT_POLICY:-}" ] || export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-4000}
export NCCL_SOCKET_IFNAME=${NCCL_SOCKET_IFNAME:-^lo,docker,virbr,vmnet,vboxnet}

# espeak-ng, for programs without the plugin; a UTF-8 locale, for validate_data_dir.sh
eval "$(python3 -m espnet_distill.utils.environment)"

if [ -e local/path.sh ]; then
    . local/path.sh
fi
