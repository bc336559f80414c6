"""Environment variables of path.sh, which keep the user's values."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .mini_an4 import ROOT

NAMES = ("OMP_NUM_THREADS", "GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "SLURM_CPUS_PER_TASK")


def source_path(script, environment):
    """Run a line of shell after path.sh."""
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail; . ./path.sh; {script}"],
        cwd=ROOT / "egs/TEMPLATE/tts1",
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


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
    script = "echo ${OMP_NUM_THREADS} ${GOMP_SPINCOUNT:-}"
    assert source_path(script, environment) == f"{threads} {spins}".rstrip() + "\n"


VALIDATE = """
if locale -a | grep C.UTF-8 > /dev/null; then L=C.UTF-8; else L=en_US.UTF-8; fi
LC_ALL=$L grep -c '[^[:print:][:space:]]' "$TEXT" || true
"""


def test_letters_outside_ascii_are_printable_to_validate_data_dir(tmp_path):
    (tmp_path / "text").write_text("a Schöne Mädchen\nb ə<space>ç̃\n", "utf-8")
    environment = os.environ | {"TEXT": str(tmp_path / "text")}
    environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    environment.pop("LOCPATH", None)
    for _ in range(2):
        assert source_path(VALIDATE, environment) == "0\n"


def test_a_given_locpath_stays():
    environment = os.environ | {"LOCPATH": "/nowhere"}
    assert source_path("echo ${LOCPATH}", environment) == "/nowhere\n"
