"""Unique names of processes, and a test whether a process has ended."""

import functools
import hashlib
import os
import socket
from pathlib import Path

PATTERN = r"[0-9a-f]{8}-\d+-\d+"


def current_process() -> str:
    """Return a unique name of this process: machine, process id and start time.

    Each container counts as a machine, since process ids repeat between containers.
    """
    return f"{_machine()}-{os.getpid()}-{_start_time(os.getpid())}"


def has_ended(name: str) -> bool:
    """Return True if a process of this machine has ended; others count as running."""
    machine, pid, start = name.split("-")
    return machine == _machine() and _start_time(int(pid)) != int(start)


@functools.cache
def _machine() -> str:
    """Return a checksum of the host name and the process id namespace."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        namespace = ""
    name = f"{socket.gethostname()} {namespace}"
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def _start_time(pid: int) -> int:
    """Return the start time of a process in kernel ticks; -1 if it has ended.

    Without /proc, the start time of each running process is 0.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return -1 if fields[0] in (b"Z", b"X") else int(fields[19])
    except OSError:
        return 0 if not os.path.isdir("/proc/self") and _runs(pid) else -1


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
