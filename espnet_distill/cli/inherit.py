"""``espnet-distill inherit``: give data a teacher's tokens, statistics or ids."""

from pathlib import Path

from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.ids import LANGUAGES, SPEAKERS, ids_of
from espnet_distill.recipes.teacher_data import (
    describe_unknown,
    inherit_ids,
    inherit_statistics,
    inherit_tokens,
)


def add_arguments(parser) -> None:
    parser.add_argument("teacher", help="an ESPnet experiment folder, or a .pth in one")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--token-list", metavar="FILE", type=Path, help="tokens.txt of the data"
    )
    what.add_argument(
        "--statistics", metavar="DIR", type=Path, help="train/ of the data's statistics"
    )
    what.add_argument(
        "--speakers",
        metavar="DIR",
        type=Path,
        nargs="+",
        help="data folders with utt2spk and utt2sid",
    )
    what.add_argument(
        "--languages",
        metavar="DIR",
        type=Path,
        nargs="+",
        help="data folders with utt2lang and utt2lid",
    )


def main(args) -> None:
    """Print the inherited settings."""
    teacher = Experiment(args.teacher)
    if args.token_list:
        unknown = inherit_tokens(teacher, args.token_list)
        print(
            f"{args.token_list}: the {len(teacher.config['token_list'])} tokens of {teacher}"
        )
        _print(describe_unknown(unknown))
    elif args.statistics:
        copied = inherit_statistics(teacher, args.statistics)
        print(f"{args.statistics}: {', '.join(copied) or 'nothing'} of {teacher}")
    else:
        kind = SPEAKERS if args.speakers else LANGUAGES
        folders = args.speakers or args.languages
        ids = ids_of(kind, teacher)
        unknown = inherit_ids(kind, ids, folders)
        print(f"{' '.join(map(str, folders))}: the {kind.data} of {teacher}")
        _print(describe_unknown(unknown))


def _print(lines: list[str]) -> None:
    for line in lines:
        print(line)
