# Backend of a recipe's job arrays: this machine, or a cluster whose queue is
# configured in conf/slurm.conf, conf/queue.conf (SGE) or conf/pbs.conf.
# Choose with `export cmd_backend=slurm` or by editing the next line.
cmd_backend=${cmd_backend:-local}

case ${cmd_backend} in
    local) _submit=run.pl ;;
    slurm) _submit=slurm.pl ;;
    sge)   _submit=queue.pl ;;
    pbs)   _submit=pbs.pl ;;
    *) echo "cmd.sh: unknown cmd_backend=${cmd_backend}: local, slurm, sge or pbs" >&2
       exit 2 ;;
esac

export train_cmd=${_submit}   # data preparation, statistics, dumps
export cuda_cmd=${_submit}    # training
export decode_cmd=${_submit}  # synthesis
