"""``espnet-distill compact``: remove the masked structure of an experiment."""

import argparse
from pathlib import Path

from espnet_distill.utils.files import require_new


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add("experiment", metavar="EXP", help="pruned experiment: folder, .pth or .zip")
    add("out", metavar="OUT", type=Path, help="new folder")
    add(
        "--stock-compatible",
        action="store_true",
        help="give all layers the size of the widest and keep all heads, where stock "
        "ESPnet could not load the result otherwise",
    )
    add_data(parser, "serve to compare the outputs before and after")


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


def main(args: argparse.Namespace) -> None:
    """Write OUT and print the report."""
    from espnet_distill.pruning.post_training.compact import compact

    require_new(args.out)
    pruned = compact(args.experiment, stock_compatible=args.stock_compatible)
    save_and_report(pruned, args)
