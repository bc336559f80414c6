"""``espnet-distill report``: render an evaluation as a page."""

import argparse
from pathlib import Path

from espnet_distill.evaluation.report import SENTENCES, write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add(
        "evaluation",
        metavar="DIR",
        type=Path,
        help="the --out of an `espnet-distill evaluate`; report.html, one file for a "
        "browser, and RESULTS.md are written there",
    )
    add(
        "--num-sentences",
        metavar="N",
        type=int,
        default=SENTENCES,
        help="number of sentences to play, evenly from the best to the worst "
        "(default: %(default)s); fewer if the page would be larger than 15 MB",
    )


def main(args: argparse.Namespace) -> None:
    """Write the page and the Markdown, and print where they are."""
    for path in write(args.evaluation, args.num_sentences):
        print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
