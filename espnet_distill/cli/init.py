"""``espnet-distill init``: add a distillation to an existing recipe."""

import argparse
from pathlib import Path

from espnet_distill.recipes.init import init


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add = parser.add_argument
    add("recipe", metavar="RECIPE_DIR", type=Path, help="egs2/<corpus>/tts1 of ESPnet")
    add("--speaker", metavar="NAME", default="", help="of a teacher of several: one")


def main(args: argparse.Namespace) -> None:
    """Write the files and print the report."""
    print("\n".join(init(args.recipe, args.speaker)))
