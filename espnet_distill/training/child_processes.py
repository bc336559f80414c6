"""Error lines and exit status 2 from processes that ESPnet spawns."""

import contextlib
import multiprocessing
import sys
from collections.abc import Iterator

from torch.multiprocessing.spawn import ProcessExitedException

from espnet_distill.errors import ConfigError


@contextlib.contextmanager
def exit_with_children() -> Iterator[None]:
    """Exit with status 2 if a process that ESPnet spawned in the block did so."""
    try:
        yield
    except ProcessExitedException as error:
        if error.exit_code != 2:
            raise
        sys.exit(2)


@contextlib.contextmanager
def errors_of_child() -> Iterator[None]:
    """In a spawned process, write the lines of a ConfigError and exit with 2."""
    try:
        yield
    except ConfigError as error:
        if multiprocessing.parent_process() is None:
            raise
        lines = (f"espnet_distill: error: {fault}\n" for fault in error.faults)
        sys.stderr.write("".join(lines))  # at once: other processes write, too
        sys.exit(2)
