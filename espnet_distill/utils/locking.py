"""Locks on folders that are being written; a lock ends with its process.

A lock is a POSIX record lock on the file `.lock` in the folder, which shared file
systems support, too. Forked processes, such as data loader workers, do not inherit it.
The file names host and process of the owner and is removed when the lock is released.
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


_locked: set[tuple[int, str]] = set()  # closing a second lock would release the first


@contextlib.contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[None]:
    """Hold a folder's lock during a block; the folder is created if needed.

    Args:
        folder: The folder to lock.
        wait: Whether to wait while another process holds the lock.

    Raises:
        ConfigError: Another process holds the lock; the message names host and process.
    """
    path = Path(folder) / LOCK
    key = (os.getpid(), os.path.realpath(path))
    with folders_above(path):
        if key in _locked:
            raise ConfigError(_refusal(path))
        file = _acquire(path, wait)
        _locked.add(key)
        try:
            yield
        finally:
            _locked.remove(key)
            path.unlink(missing_ok=True)
            os.close(file)


def require_unlocked(folder: Path) -> None:
    """Raise a ConfigError if another process holds a folder's lock."""
    if (Path(folder) / LOCK).exists():
        with locked(folder):
            pass


def _acquire(path: Path, wait: bool) -> int:
    """Return a descriptor of the lock file, locked and naming this process."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(file, path, wait)
            if _is_at(file, path):  # else the previous owner has removed the file
                owner = f"{socket.gethostname()} {os.getpid()} {current_process()}\n"
                os.ftruncate(file, 0)
                os.pwrite(file, owner.encode(), 0)
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
        if _owner_runs(path):  # the fallback on a file system without locks
            raise ConfigError(_refusal(path)) from error


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def _read_owner(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except OSError:
        return []


def _owner_runs(path: Path) -> bool:
    words = _read_owner(path)
    return len(words) == 3 and not has_ended(words[2])


def _refusal(path: Path) -> str:
    words = _read_owner(path)
    by = f"process {words[1]} on {words[0]}" if len(words) == 3 else "another process"
    return (
        f"{path.parent}: is being written by {by}; wait for its end, or name another "
        "folder"
    )
