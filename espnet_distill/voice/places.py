"""Names that no file may replace: devices, pipes and open files, such as /dev/stdout."""

import os
import stat
from pathlib import Path

OPEN_FILES = (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd"))


def is_stream(path: Path) -> bool:
    """Return True for a device, a pipe or a socket: it is written to, not replaced."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def file_of(path: Path) -> Path:
    """Return the file that a name such as /dev/stdout stands for, or the path itself."""
    return path.resolve() if path.parent in OPEN_FILES and path.is_symlink() else path
