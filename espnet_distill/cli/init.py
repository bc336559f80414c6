"""``espnet-distill init``: add a distillation to an existing recipe."""

import argparse
from pathlib import Path

from espnet_distill.recipes.init import init


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the argument of the command."""
    parser.add_argument(
        "recipe", metavar="RECIPE_DIR", type=Path, help="egs2/<corpus>/tts1 of ESPnet"
    )


def main(args: argparse.Namespace) -> None:
    """Write the files and print the report."""
    print("\n".join(init(args.recipe)))
