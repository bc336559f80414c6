"""``espnet-distill bench``: measure size, operations, speed and memory."""

import argparse
import contextlib
import os
import sys
from pathlib import Path

from espnet_distill.utils.config_values import name_or_none


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add(
        "experiments",
        metavar="EXP",
        nargs="+",
        help="experiment folder, .pth, .zip or tag",
    )
    add(
        "--sentences",
        metavar="FILE",
        type=Path,
        help="sentences, one per line, of which a short, a medium and a long one are "
        "synthesized (default: three in English, for another language those of the "
        "validation)",
    )
    add(
        "--data",
        metavar="DIR",
        type=Path,
        help="ESPnet data folder with the sentences, such as dump/raw/eval",
    )
    add(
        "--vocoder",
        metavar="VOCODER",
        type=name_or_none,
        help="checkpoint or experiment folder of a vocoder for mel → wav (default: "
        "Griffin-Lim)",
    )
    add(
        "--threads",
        metavar="N",
        type=int,
        default=_cores(),
        help="measure speed on N threads in addition to one (default: all cores, "
        "%(default)s)",
    )
    add(
        "--repeats",
        metavar="N",
        type=int,
        default=5,
        help="number of syntheses of each sentence (default: %(default)s)",
    )
    add(
        "--chunk",
        metavar="N",
        type=int,
        help="synthesize N mel frames at a time, with a distilled vocoder; latency is "
        "then that of the first chunk",
    )
    add("--json", action="store_true", help="print JSON instead of Markdown")
    add(
        "--out",
        metavar="DIR",
        type=Path,
        help="folder for bench.md, bench.json and speed_size.png",
    )


def main(args: argparse.Namespace) -> None:
    """Measure, print, and write into ``args.out`` if there is one."""
    from espnet_distill.evaluation.bench import bench

    with contextlib.redirect_stdout(sys.stderr):  # whatever a text front end prints
        result = bench(
            args.experiments,
            sentences=args.sentences,
            data=args.data,
            vocoder=args.vocoder,
            threads=args.threads,
            repeats=args.repeats,
            chunk=args.chunk,
            out=args.out,
        )
    print(result.json() if args.json else result.markdown())


def _cores() -> int:
    """Number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
