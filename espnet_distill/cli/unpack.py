"""``espnet-distill unpack``: make an experiment folder of a packed model or a tag."""

import argparse
from pathlib import Path

from espnet_distill.experiments.unpack import unpack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "model", type=Path, help="a .zip that espnet2.bin.pack made, or hub:owner/name"
    )
    parser.add_argument("out", type=Path, help="the folder to make")


def main(args: argparse.Namespace) -> None:
    """Make the folder and print its path."""
    unpack(args.model, args.out)
    print(args.out)
