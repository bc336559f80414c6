"""A Slurm cluster of one node, this machine, for the time of a test."""

import contextlib
import getpass
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from ..conftest import free_port

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"  # Debian's daemons
CPUS = 2

CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={root}/munge.socket
CredType=cred/munge
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/filetxt
JobCompLoc={root}/jobs
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus}
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE
"""


def missing_programs():
    """Return the names of Slurm's programs that this machine lacks."""
    return [name for name in PROGRAMS if not shutil.which(name, path=PATH)]


class Cluster:
    """A running cluster: the environment of its clients, and the jobs it has ended."""

    def __init__(self, root):
        self.root = root
        self.daemons = []
        self.environment = {"SLURM_CONF": str(root / "slurm.conf"), "PATH": PATH}

    def query(self, *command):
        environment = os.environ | self.environment
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        return done.stdout.strip()

    def jobs(self):
        """Return a mapping of what Slurm has recorded for each job that has ended."""
        path = self.root / "jobs"
        lines = path.read_text().splitlines() if path.exists() else []
        fields = (line.split() for line in lines)
        return [
            dict(item.split("=", 1) for item in line if "=" in item) for line in fields
        ]


@contextlib.contextmanager
def start_cluster(seconds=60):
    """Start munged, slurmctld and slurmd; on leaving, stop them and their jobs."""
    with tempfile.TemporaryDirectory(prefix="slurm") as folder:  # a short socket path
        root = Path(folder)
        _write_files(root)
        cluster = Cluster(root)
        conf = ["-D", "-f", str(root / "slurm.conf")]
        with contextlib.ExitStack() as daemons:
            for command in (_munged(root), ["slurmctld", *conf], ["slurmd", *conf]):
                cluster.daemons.append(daemons.enter_context(_daemon(command, root)))
            end = time.monotonic() + seconds
            while cluster.query("sinfo", "-h", "-o", "%T") != "idle":
                logs = [path.read_text()[-2000:] for path in root.glob("*.log")]
                assert time.monotonic() < end, "\n".join(logs)
                time.sleep(0.5)
            try:
                yield cluster
            finally:
                cluster.query("scancel", "--full", "--user", getpass.getuser())


def _write_files(root):
    for name in ("state", "spool"):
        (root / name).mkdir()
    key = root / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    ports = {"controller_port": free_port(), "node_port": free_port()}
    host = socket.gethostname().partition(".")[0]
    values = {"host": host, "user": getpass.getuser(), "cpus": CPUS, "root": root}
    (root / "slurm.conf").write_text(CONFIG.format(**values, **ports))


def _munged(root):
    files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munge.pid"}
    files |= {"seed-file": "munge.seed", "log-file": "munge.log"}
    paths = (f"--{option}={root / name}" for option, name in files.items())
    return ["munged", "--foreground", "--force", *paths]


@contextlib.contextmanager
def _daemon(command, root):
    program = shutil.which(command[0], path=PATH)
    with (root / f"{command[0]}.log").open("w") as log:
        process = subprocess.Popen(
            [program, *command[1:]], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
