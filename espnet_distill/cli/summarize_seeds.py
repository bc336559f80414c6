"""``espnet-distill summarize-seeds``: summarize an evaluation of several seeds."""

import argparse
from pathlib import Path

from espnet_distill.evaluation.seed_summary import summarize_seeds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add(
        "evaluation",
        metavar="DIR",
        type=Path,
        help="the --out of an `espnet-distill evaluate` of experiments "
        "<setting>_seed<N>",
    )
    add("--csv", metavar="FILE", type=Path, help="also write one line per run to FILE")
    add(
        "--against",
        metavar="SETTING",
        nargs="+",
        default=["teacher"],
        help="settings to compare with (default: teacher)",
    )


def main(args: argparse.Namespace) -> None:
    """Print the table and write the CSV."""
    print(summarize_seeds(args.evaluation, csv=args.csv, against=args.against))
