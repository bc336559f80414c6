"""``espnet-distill compact``: remove the masked structure of an experiment."""

import argparse
from pathlib import Path

from espnet_distill.cli.pruned import add_data, save_and_report
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


def main(args: argparse.Namespace) -> None:
    """Write OUT and print the report."""
    from espnet_distill.pruning.post_training.compact import compact

    require_new(args.out)
    pruned = compact(args.experiment, stock_compatible=args.stock_compatible)
    save_and_report(pruned, args)
