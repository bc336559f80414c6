"""Worker processes that end with the process that has started them, even if killed."""

import functools
import os
import threading
import time

INTERVAL = 1.0  # seconds


@functools.cache
def end_with_parent(parent: int) -> None:
    """End this process once its parent has ended; called again it does nothing more.

    Args:
        parent: The parent's process id, which is that of this process where there are
            no workers.
    """
    if parent != os.getpid():
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(INTERVAL)
    os._exit(1)
