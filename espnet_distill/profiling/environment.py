"""Describe the environment of a measurement: date, versions and processor."""

import platform
import subprocess
from datetime import datetime
from importlib.metadata import version
from pathlib import Path


def machine() -> dict[str, str]:
    """Return the date, package versions and the processor's name.

    Includes the hash and date of the checked-out commit if the working folder is under
    git.
    """
    return {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "espnet": version("espnet"),
        "torch": version("torch"),
        "espnet_distill": version("espnet_distill"),
        "python": platform.python_version(),
        "cpu": _cpu_name(),
        **_git_commit(),
    }


def _git_commit() -> dict[str, str]:
    command = ["git", "log", "-1", "--format=%H%n%cd"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return dict(zip(("git_hash", "commit_date"), result.stdout.splitlines()))


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.is_file() else ():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
