"""Share the data options and the report of ``prune`` and ``compact``."""

import argparse
from pathlib import Path


def add_data(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Add the options of calibration data."""
    add = parser.add_argument
    add(
        "--data",
        metavar="DIR",
        type=Path,
        help=f"ESPnet data folder (text, wav.scp) whose first utterances {purpose}",
    )
    add("--durations", metavar="FILE", type=Path, help="frames per token of --data")


def save_and_report(pruned, args: argparse.Namespace) -> None:
    """Compare a pruned experiment with its origin, write OUT and print the report."""
    from espnet_distill.pruning.post_training.comparison import compare

    report = compare(pruned, data=args.data, durations=args.durations, folder=args.out)
    pruned.save(args.out)
    print(report)
