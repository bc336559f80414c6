"""End worker processes with their parent, even if the parent is killed."""

import functools
import os
import threading
import time

INTERVAL = 1.0  # seconds


@functools.cache
def end_with_parent(parent: int) -> None:
    """Exit this process as soon as its parent has ended. Further calls have no effect.

    Args:
        parent: The parent's process id; this process's own id where there are no
            workers, which disables the watch.
    """
    if parent != os.getpid():
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(INTERVAL)
    os._exit(1)
