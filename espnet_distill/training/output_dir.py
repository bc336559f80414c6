"""The folder that a training writes: whether it is resumed, and its lock."""

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
    """Tell whether a training goes on from a checkpoint."""
    return args.resume and Path(args.output_dir, CHECKPOINT).exists()


@contextlib.contextmanager
def output_locked(args: argparse.Namespace, is_stock: bool) -> Iterator[None]:
    """Lock the folder of a training; of several processes the first one does.

    Args:
        args: The training's.
        is_stock: Whether it is ESPnet's own, which nothing is locked for.

    Raises:
        ConfigError: Another training writes there; its host and process are named.
    """
    with _ending_quietly():
        rank = get_rank(args.dist_rank, args.dist_launcher) if args.distributed else 0
        if is_stock or rank:
            yield
        else:
            with locked(Path(args.output_dir)):
                yield


@contextlib.contextmanager
def _ending_quietly() -> Iterator[None]:
    """After an interrupt only the process that has spawned the others says so."""
    try:
        yield
    except KeyboardInterrupt:
        if multiprocessing.parent_process() is None:
            raise
        sys.exit(130)
