"""``espnet-distill espnet-root``: print where ESPnet's recipes are."""

from espnet_distill.utils.espnet_root import espnet_root


def add_arguments(parser) -> None:
    """Take no arguments."""


def main(args) -> None:
    """Print the path of ESPnet's recipe tree."""
    print(espnet_root())
