"""``espnet-distill check-text``: check texts before a teacher synthesizes them."""

from pathlib import Path

from espnet_distill.data.check_text import recorded_ids, require_new_text


def add_arguments(parser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--new",
        metavar="FILE",
        type=Path,
        help="text that nobody has recorded: <utterance> <words> lines",
    )
    parser.add_argument(
        "texts", metavar="TEXT", type=Path, nargs="*", help="of the recordings' folders"
    )


def main(args) -> None:
    """Say nothing where nothing is wrong."""
    recorded = recorded_ids(args.texts)
    if args.new:
        require_new_text(args.new, recorded)
