"""``espnet-distill check-text``: check texts before a teacher synthesizes them."""

from pathlib import Path

from espnet_distill.data.check_text import recorded_ids, require_new_text


def add_arguments(parser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--new",
        metavar="FILE",
        type=Path,
        help="text without recordings: lines of <utterance> <words>",
    )
    parser.add_argument(
        "texts",
        metavar="TEXT",
        type=Path,
        nargs="*",
        help="text of a folder of recordings",
    )


def main(args) -> None:
    """Raise a ConfigError for invalid texts, print nothing for valid ones."""
    recorded = recorded_ids(args.texts)
    if args.new:
        require_new_text(args.new, recorded)
