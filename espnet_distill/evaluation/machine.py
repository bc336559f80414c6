"""What figures depend on besides the models: when, with what and where."""

import platform
from datetime import datetime
from importlib.metadata import version
from pathlib import Path


def machine() -> dict[str, str]:
    """Return the date, the versions that count, and the processor's name."""
    return {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "espnet": version("espnet"),
        "torch": version("torch"),
        "python": platform.python_version(),
        "cpu": _cpu_name(),
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.is_file() else ():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
