"""Output folder of a training: resume and lock."""

import argparse
import contextlib
import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path

from espnet2.train.distributed_utils import get_rank

from espnet_distill.utils.locking import locked

CHECKPOINT = "checkpoint.pth"


def is_resumed(args: argparse.Namespace) -> bool:
    """Return True if a training resumes from a checkpoint."""
    return args.resume and Path(args.output_dir, CHECKPOINT).exists()


@contextlib.contextmanager
def output_locked(args: argparse.Namespace, is_stock: bool) -> Iterator[None]:
    """Lock the output folder of a training, in the process of rank 0.

    Args:
        args: The training's arguments.
        is_stock: Whether the training is ESPnet's own, which takes no lock.

    Raises:
        ConfigError: Another training writes to the folder. The message names its host
            and process.
    """
    with _quiet_interrupt():
        rank = get_rank(args.dist_rank, args.dist_launcher) if args.distributed else 0
        if is_stock or rank:
            yield
        else:
            with locked(Path(args.output_dir)):
                yield


@contextlib.contextmanager
def _quiet_interrupt() -> Iterator[None]:
    """On an interrupt, exit spawned processes with 130 and no traceback."""
    try:
        yield
    except KeyboardInterrupt:
        if multiprocessing.parent_process() is None:
            raise
        sys.exit(130)
