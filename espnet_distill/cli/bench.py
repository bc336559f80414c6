"""``espnet-distill bench``: measure size, operations, speed and memory."""

import argparse
import contextlib
import os
import sys
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.utils.config_values import name_or_none
from espnet_distill.utils.files import check_file, check_folder


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
        help="sentences, one a line, of which a short, a middling and a long one are "
        "spoken (default: three in English)",
    )
    add(
        "--vocoder_file",
        metavar="FILE",
        type=name_or_none,
        help="HiFi-GAN generator for mel → wav (default: Griffin-Lim)",
    )
    add(
        "--threads",
        metavar="N",
        type=int,
        default=_cores(),
        help="measure speed on N threads besides one (default: all cores, %(default)s)",
    )
    add(
        "--repeats",
        metavar="N",
        type=int,
        default=5,
        help="times that each sentence is spoken (default: %(default)s)",
    )
    add(
        "--chunk",
        metavar="N",
        type=int,
        help="let the vocoder turn N frames at a time into sound, which a distilled one "
        "can: latency is then that of the first chunk",
    )
    add("--json", action="store_true", help="print JSON instead of Markdown")
    add(
        "--out",
        metavar="DIR",
        type=Path,
        help="where bench.md, bench.json and speed_size.png go",
    )


def main(args: argparse.Namespace) -> None:
    """Measure, print, and write into ``args.out`` if there is one."""
    from espnet_distill.evaluation.bench import SENTENCES, _names, _read, _rows

    for option in ("threads", "repeats"):
        if getattr(args, option) < 1:
            raise ConfigError(f"--{option}: {getattr(args, option)} is not above 0")
    check_file(args.vocoder_file, "--vocoder_file")
    if args.out:
        check_folder(args.out, "--out")
    sentences = _read(args.sentences) if args.sentences else SENTENCES
    names = _names(args.experiments)

    from espnet_distill.evaluation import bench_table
    from espnet_distill.experiments.experiment import find_experiment
    from espnet_distill.profiling.environment import machine
    from espnet_distill.profiling.speed import three_lengths

    sentences = three_lengths(sentences)
    found = dict(zip(names, map(find_experiment, args.experiments)))
    with contextlib.redirect_stdout(sys.stderr):  # whatever a text front end prints
        rows = _rows(found, sentences, args)
    surroundings = machine() | {
        "vocoder": args.vocoder_file or "Griffin-Lim",
        "repeats": args.repeats,
        "chunk": f"the first {args.chunk} frames are" if args.chunk else "the whole is",
        "sentences": sentences,
    }
    if args.out:
        bench_table.write(args.out, rows, surroundings)
    text = bench_table.to_json if args.json else bench_table.markdown
    print(text(rows, surroundings))


def _cores() -> int:
    """Number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
