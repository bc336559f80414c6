"""``espnet-distill template``: print where the recipes' shared scripts are."""

from espnet_distill.recipes.template import SCRIPTS, template_root


def add_arguments(parser) -> None:
    """Take no arguments."""


def main(args) -> None:
    """Print the folder of the scripts."""
    print(template_root() / SCRIPTS)
