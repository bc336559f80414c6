"""What figures depend on besides the models: when, with what and where."""

import platform
import subprocess
from datetime import datetime
from importlib.metadata import version
from pathlib import Path


def machine() -> dict[str, str]:
    """Return the date, the versions that count, and the processor's name.

    Of a working folder under git, also what is checked out there.
    """
    return {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "espnet": version("espnet"),
        "torch": version("torch"),
        "espnet_distill": version("espnet_distill"),
        "python": platform.python_version(),
        "cpu": _cpu_name(),
        **_checked_out(),
    }


def _checked_out() -> dict[str, str]:
    command = ["git", "log", "-1", "--format=%H%n%cd"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return dict(zip(("git_hash", "commit_date"), done.stdout.splitlines()))


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.is_file() else ():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
