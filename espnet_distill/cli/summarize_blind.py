"""``espnet-distill summarize-blind``: summarize the answers of a blind comparison."""

import argparse
from pathlib import Path

from espnet_distill.evaluation.blind_summary import summarize_blind


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        type=Path,
        help="JSON files that the blind.html of an `espnet-distill report --blind` "
        "saved, one a person",
    )


def main(args: argparse.Namespace) -> None:
    """Print the table."""
    print(summarize_blind(args.files))
