"""``espnet-distill bench``: what experiments cost, side by side."""

import argparse
import os
from pathlib import Path

from espnet_distill.errors import ConfigError, ErrorCollector
from espnet_distill.evaluation.systems import require_distinct
from espnet_distill.utils.files import check_file, read_text

SENTENCES = [
    "Good morning.",
    "The ferry leaves the harbour at seven, and nobody wants to miss it.",
    "When the rain had stopped, the children ran down to the river, where the old mill "
    "still turned, and looked for the little boat they had left there in the summer.",
]


def _rows(
    found: dict[str, tuple[Path, Path]], sentences: list[str], args: argparse.Namespace
) -> list:
    """Measure experiments, by name, that are (configuration, checkpoint)."""
    from espnet_distill.evaluation.bench_table import Row
    from espnet_distill.profiling import macs, memory, speed
    from espnet_distill.profiling import macs as complexity
    from espnet_distill.profiling import text2speech as load

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

    with ErrorCollector() as faults:
        faults.check(require_chunk, chunk, vocoder.look_ahead, vocoder_file, where="--")


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
