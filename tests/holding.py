"""A process that holds the lock of a folder."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

HOLDER = """
import os, sys, time
from pathlib import Path
from espnet_distill.utils.locking import locked
with locked(Path(sys.argv[1])):
    if not os.fork():  # as a worker that loads data
        time.sleep(600)
    print("locked", flush=True)
    time.sleep(600)
"""


@contextlib.contextmanager
def held(folder) -> Iterator[subprocess.Popen]:
    """Give a process that holds a folder's lock, and has a child that does not."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert child.stdout.readline() == "locked\n"
        yield child
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
