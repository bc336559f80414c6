"""Locks on folders that are being written; a lock ends with its process.

The lock is one of POSIX on a file `.lock` in the folder, which shared file systems
know, too. A forked process, such as a worker that loads data, does not inherit it. The
file names host and process of the holder and is removed with the lock.
"""

import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.utils.files import folders_above
from espnet_distill.utils.process_identity import current_process, has_ended

LOCK = ".lock"


UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


_held: set[tuple[int, str]] = set()  # a second lock of a process would end the first


@contextlib.contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[None]:
    """Hold a folder's lock; the folder is made if need be.

    Args:
        folder: What is being written.
        wait: Whether to wait for another process that holds it.

    Raises:
        ConfigError: Another process holds it; the message names host and process.
    """
    path = Path(folder) / LOCK
    key = (os.getpid(), os.path.realpath(path))
    with folders_above(path):
        if key in _held:
            raise ConfigError(_refusal(path))
        file = _acquire(path, wait)
        _held.add(key)
        try:
            yield
        finally:
            _held.remove(key)
            path.unlink(missing_ok=True)
            os.close(file)


def require_unlocked(folder: Path) -> None:
    """Raise a ConfigError if another process holds a folder's lock."""
    if (Path(folder) / LOCK).exists():
        with locked(folder):
            pass


def _acquire(path: Path, wait: bool) -> int:
    """Return a descriptor of the lock's file, locked and with this process in it."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(file, path, wait)
            if _is_at(file, path):  # else its holder has removed it meanwhile
                holder = f"{socket.gethostname()} {os.getpid()} {current_process()}\n"
                os.ftruncate(file, 0)
                os.pwrite(file, holder.encode(), 0)
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _lock(file: int, path: Path, wait: bool) -> None:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise ConfigError(_refusal(path)) from error
        if error.errno not in UNSUPPORTED:
            raise
        if _holder_runs(path):  # all there is on a file system without locks
            raise ConfigError(_refusal(path)) from error


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def _holder(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except OSError:
        return []


def _holder_runs(path: Path) -> bool:
    words = _holder(path)
    return len(words) == 3 and not has_ended(words[2])


def _refusal(path: Path) -> str:
    words = _holder(path)
    by = f"process {words[1]} on {words[0]}" if len(words) == 3 else "another process"
    return (
        f"{path.parent}: is being written by {by}; wait for its end, or name another "
        "folder"
    )
