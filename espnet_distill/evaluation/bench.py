"""``espnet-distill bench``: what experiments cost, side by side."""

import argparse
import contextlib
import os
import sys
from pathlib import Path

from espnet_distill.errors import ConfigError, Faults
from espnet_distill.evaluation.inputs import (
    check_file,
    check_folder,
    name_or_none,
    require_distinct,
)
from espnet_distill.files import read_text

SENTENCES = [
    "Good morning.",
    "The ferry leaves the harbour at seven, and nobody wants to miss it.",
    "When the rain had stopped, the children ran down to the river, where the old mill "
    "still turned, and looked for the little boat they had left there in the summer.",
]


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
    for option in ("threads", "repeats"):
        if getattr(args, option) < 1:
            raise ConfigError(f"--{option}: {getattr(args, option)} is not above 0")
    check_file(args.vocoder_file, "--vocoder_file")
    if args.out:
        check_folder(args.out, "--out")
    sentences = _read(args.sentences) if args.sentences else SENTENCES
    names = _names(args.experiments)

    from espnet_distill.evaluation import bench_table
    from espnet_distill.evaluation.machine import machine
    from espnet_distill.evaluation.speed import three_lengths
    from espnet_distill.teachers.checkpoint import find_experiment

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


def _rows(
    found: dict[str, tuple[Path, Path]], sentences: list[str], args: argparse.Namespace
) -> list:
    """Measure experiments, by name, that are (configuration, checkpoint)."""
    from espnet_distill.evaluation import complexity, load, macs, memory, speed
    from espnet_distill.evaluation.bench_table import Row

    systems = {
        name: load.load(*paths, args.vocoder_file) for name, paths in found.items()
    }
    if args.chunk is not None:
        for system in systems.values():
            require_stream(system.vocoder, args.chunk, args.vocoder_file)
    speeds = {
        threads: speed.measure(systems, sentences, args.repeats, threads, args.chunk)
        for threads in sorted({1, args.threads})
    }
    return [
        Row(
            name=name,
            params=complexity.parameters(systems[name].tts),
            size_mb=complexity.size_mb(model),
            memory_mb=memory.memory_of(config, model, sentences[-1], args.vocoder_file),
            macs=macs.macs_per_second(systems[name], sentences),
            speed={threads: one[name] for threads, one in speeds.items()},
            model=str(model.absolute()),
            config=str(config.absolute()),
        )
        for name, (config, model) in found.items()
    ]


def require_stream(vocoder, chunk: int, vocoder_file: str | None) -> None:
    """Raise a ConfigError unless a vocoder speaks in chunks of so many frames."""
    if not hasattr(vocoder, "stream"):
        raise ConfigError(
            f"--chunk: {vocoder_file or 'Griffin-Lim'} speaks all at once; give a "
            "distilled vocoder, or leave it out"
        )

    from espnet_distill.vocoders.streaming import require_chunk

    with Faults() as faults:
        faults.of(require_chunk, chunk, vocoder.look_ahead, vocoder_file, where="--")


def _read(path: Path) -> list[str]:
    check_file(path, "--sentences")
    lines = read_text(path).splitlines()
    sentences = [line.strip() for line in lines if line.strip()]
    if not sentences:
        raise ConfigError(f"--sentences: {path} is empty: write one sentence a line")
    return sentences


def _names(experiments: list[str]) -> list[str]:
    names = [_name(experiment) for experiment in experiments]
    require_distinct(names)
    return names


def _name(experiment: str) -> str:
    path = Path(os.path.abspath(experiment))
    if path.suffix == ".pth":
        path = path.parent
    return path.name.removesuffix(".zip")


def _cores() -> int:
    """Number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
