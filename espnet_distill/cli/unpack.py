"""``espnet-distill unpack``: unpack a packed model or a tag into a folder."""

import argparse
from pathlib import Path

from espnet_distill.experiments.unpack import unpack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "model", type=Path, help="a .zip of espnet2.bin.pack, or hub:owner/name"
    )
    parser.add_argument("out", type=Path, help="new folder")


def main(args: argparse.Namespace) -> None:
    """Make the folder and print its path."""
    unpack(args.model, args.out)
    print(args.out)
