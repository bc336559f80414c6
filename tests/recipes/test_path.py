"""Environment variables of path.sh, which keep the user's values."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .mini_an4 import ROOT

NAMES = ("OMP_NUM_THREADS", "GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "SLURM_CPUS_PER_TASK")


@pytest.mark.parametrize(
    "given, threads, spins",
    [
        ({}, "1", "4000"),
        ({"GOMP_SPINCOUNT": "0", "OMP_NUM_THREADS": "2"}, "2", "0"),
        ({"OMP_WAIT_POLICY": "active"}, "1", ""),
        ({"SLURM_CPUS_PER_TASK": "3"}, "3", "4000"),
        ({"SLURM_CPUS_PER_TASK": "3", "OMP_NUM_THREADS": "2"}, "2", "4000"),
    ],
)
def test_threads(given, threads, spins):
    environment = {key: x for key, x in os.environ.items() if key not in NAMES} | given
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    script = (
        "set -euo pipefail; . ./path.sh; echo ${OMP_NUM_THREADS} ${GOMP_SPINCOUNT:-}"
    )
    folder = ROOT / "egs/TEMPLATE/tts1"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{threads} {spins}".rstrip() + "\n"
