"""``espnet-distill report``: render an evaluation as a page."""

import argparse
from pathlib import Path

from espnet_distill.evaluation.report import SENTENCES, TRIALS, write, write_blind


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
    add(
        "--blind",
        metavar="NAME",
        nargs="*",
        help="write blind.html instead, on which a person compares these systems "
        "without knowing which one plays (default: all but the recordings)",
    )
    add(
        "--trials",
        metavar="N",
        type=int,
        default=TRIALS,
        help="number of pairs of clips in blind.html (default: %(default)s, some five "
        "minutes); fewer if there are fewer sentences",
    )
    add(
        "--seed",
        metavar="N",
        type=int,
        default=0,
        help="of the sentences and the order in blind.html (default: %(default)s)",
    )


def main(args: argparse.Namespace) -> None:
    """Write the pages, and print where they are."""
    if args.blind is None:
        paths = write(args.evaluation, args.num_sentences)
    else:
        paths = [write_blind(args.evaluation, args.blind, args.trials, args.seed)]
    for path in paths:
        print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
