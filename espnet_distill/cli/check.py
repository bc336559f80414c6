"""``espnet-distill check``: find what would stop a training."""

import argparse
from pathlib import Path

from espnet_distill.tasks.checks.check import check
from espnet_distill.utils.quiet import stderr_suppressed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        "%(prog)s [-h] [--vocoder FILE] [--planned] train.yaml [ESPnet options]"
    )
    parser.add_argument("--vocoder", help="a vocoder that is to fit the student")
    parser.add_argument(
        "--planned",
        action="store_true",
        help="initial weights (init_param), statistics and the teachers' dump may be "
        "made later",
    )
    parser.add_argument("train_config", metavar="train.yaml", type=Path)
    parser.add_argument(
        "espnet_options",
        nargs=argparse.REMAINDER,
        help="what espnet2.bin.tts_train would get besides, e.g. --token_list FILE",
    )


def main(args) -> None:
    with stderr_suppressed():
        found = check(
            args.train_config, args.espnet_options, args.vocoder, args.planned
        )
    print(found)
