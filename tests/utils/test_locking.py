"""Locks on folders, held by running processes."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from espnet_distill.errors import ConfigError
from espnet_distill.utils import locking
from espnet_distill.utils.locking import locked, require_unlocked

from ..holding import held


@pytest.fixture
def hold():
    """Start a process that holds the lock of a folder; return it."""
    with contextlib.ExitStack() as stack:
        yield lambda folder: stack.enter_context(held(folder))


def test_second_process_is_refused_with_host_and_process(hold, tmp_path):
    child = hold(tmp_path / "out")
    for attempt in (locked, require_unlocked):
        with pytest.raises(ConfigError) as caught, contextlib.ExitStack() as stack:
            if lock := attempt(tmp_path / "out"):
                stack.enter_context(lock)
        line = str(caught.value)
        assert f"by process {child.pid} on {socket.gethostname()};" in line
        assert "\n" not in line
    with locked(tmp_path / "another"):
        pass


def test_lock_ends_with_its_process_despite_workers(hold, tmp_path):
    child = hold(tmp_path)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert (tmp_path / locking.LOCK).exists()
    with locked(tmp_path):
        words = (tmp_path / locking.LOCK).read_text().split()
        assert words[:2] == [socket.gethostname(), str(os.getpid())]
    assert not list(tmp_path.iterdir())


def test_waiting_process_gets_the_lock(hold, tmp_path):
    child = hold(tmp_path)
    script = (
        "import sys; from pathlib import Path\n"
        "from espnet_distill.utils.locking import locked\n"
        "with locked(Path(sys.argv[1]), wait=True): print('next')"
    )
    waiting = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE, text=True
    )
    time.sleep(0.5)
    assert waiting.poll() is None
    child.terminate()
    assert waiting.communicate(timeout=20)[0] == "next\n"
    assert not list(tmp_path.iterdir())


def test_a_process_does_not_lock_twice(tmp_path):
    with locked(tmp_path):
        with pytest.raises(ConfigError, match=f"by process {os.getpid()} on"):
            with locked(tmp_path):
                pass
    with locked(tmp_path):
        pass


def test_a_folder_that_was_made_for_the_lock_is_removed(tmp_path):
    with pytest.raises(ZeroDivisionError):
        with locked(tmp_path / "a" / "b"):
            1 / 0
    assert not list(tmp_path.iterdir())


def test_fallback_on_file_systems_without_locks(hold, tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(locking.errno.ENOLCK, "No locks available")

    child = hold(tmp_path)
    monkeypatch.setattr(locking.fcntl, "lockf", unsupported)
    with pytest.raises(ConfigError, match=f"by process {child.pid} on"):
        with locked(tmp_path):
            pass
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    with locked(Path(tmp_path)):
        pass
