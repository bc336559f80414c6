"""Measure size, operations, speed and memory of experiments in one run."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from espnet_distill.errors import ConfigError, ErrorCollector
from espnet_distill.evaluation.systems import require_distinct
from espnet_distill.experiments.experiment import Experiment, path_of
from espnet_distill.utils.files import check_file, check_folder, read_table, read_text

ENGLISH = "en"
SENTENCES = [
    "Good morning.",
    "The ferry leaves the harbour at seven, and nobody wants to miss it.",
    "When the rain had stopped, the children ran down to the river, where the old mill "
    "still turned, and looked for the little boat they had left there in the summer.",
]


@dataclass(frozen=True)
class Benchmark:
    """Costs of experiments, and the environment of the measurement.

    Attributes:
        rows: A row of the table per experiment.
        environment: Machine, vocoder, sentences and number of repeats.
    """

    rows: list
    environment: dict

    def markdown(self) -> str:
        """Return a table with a caption."""
        from espnet_distill.evaluation import bench_table

        return bench_table.markdown(self.rows, self.environment)

    def json(self) -> str:
        """Return ``environment`` and ``rows`` as one JSON object."""
        from espnet_distill.evaluation import bench_table

        return bench_table.to_json(self.rows, self.environment)


def bench(
    experiments: Sequence[Experiment | str | Path],
    *,
    sentences: str | Path | Sequence[str] | None = None,
    data: str | Path | None = None,
    vocoder: str | None = None,
    threads: int = 1,
    repeats: int = 5,
    chunk: int | None = None,
    out: str | Path | None = None,
) -> Benchmark:
    """Measure size, operations, speed and memory of experiments.

    Args:
        experiments: Experiments, or folders, ``.pth``, ``.zip`` or tags of them.
        sentences: The sentences, or a file with one a line, of which a short, a medium
            and a long one are synthesized.
        data: Data folder of ESPnet with the sentences, instead. Without either they are
            three in English for a first experiment with an English g2p, otherwise those
            that validated its training.
        vocoder: Vocoder for mel → wav: a checkpoint or an experiment folder; None is
            Griffin-Lim.
        threads: Number of threads on which speed is measured, besides one.
        repeats: Number of times that each sentence is synthesized.
        chunk: Number of mel frames that the vocoder synthesizes at a time; latency is
            then that of the first chunk. None synthesizes a sentence at once.
        out: Folder that gets ``bench.md``, ``bench.json`` and ``speed_size.png``.

    Returns:
        Parameters, size and peak memory (MB), MACs and RTF per second of speech, and
        latency (s) of each experiment; of a text-to-waveform model, its decoder apart.

    Raises:
        ConfigError: A number below 1, a file that is missing or empty, no sentences,
            experiments of one name, or a vocoder that cannot synthesize in such chunks.
    """
    for option, number in (("threads", threads), ("repeats", repeats)):
        if number < 1:
            raise ConfigError(f"--{option}: {number} is not above 0")
    from espnet_distill.vocoders.checkpoint_formats import find_checkpoint

    vocoder = find_checkpoint(vocoder, "--vocoder")
    if out:
        check_folder(Path(out), "--out")
    if sentences is not None and data is not None:
        raise ConfigError("--sentences and --data: name one of both")
    if data is not None:
        sentences = _texts_of(Path(data) / "text", "--data")
    elif isinstance(sentences, str | Path):
        sentences = _read(Path(sentences))
    names = _names([str(path_of(experiment)) for experiment in experiments])

    from espnet_distill.evaluation import bench_table
    from espnet_distill.profiling.environment import machine
    from espnet_distill.profiling.speed import three_lengths

    opened = dict(zip(names, map(Experiment.of, experiments)))
    if sentences is None:
        sentences = sentences_for(next(iter(opened.values())))
    sentences = three_lengths(list(sentences))
    rows = _rows(opened, sentences, vocoder, threads, repeats, chunk)
    environment = machine() | {
        "vocoder": vocoder or "Griffin-Lim",
        "repeats": repeats,
        "chunk": f"the first {chunk} frames" if chunk else "the whole sentence",
        "sentences": sentences,
    }
    if out:
        bench_table.write(Path(out), rows, environment)
    return Benchmark(rows, environment)


def _rows(
    experiments: dict[str, Experiment],
    sentences: list[str],
    vocoder_file: str | None,
    threads: int,
    repeats: int,
    chunk: int | None,
) -> list:
    """Measure experiments, by name."""
    from espnet_distill.evaluation.bench_table import Row
    from espnet_distill.profiling import macs, memory, speed
    from espnet_distill.profiling import text2speech as load

    systems = {
        name: load.load(experiment, vocoder_file)
        for name, experiment in experiments.items()
    }
    if chunk is not None:
        for system in systems.values():
            require_stream(system.vocoder, chunk, vocoder_file)
    speeds = {
        number: speed.measure(systems, sentences, repeats, number, chunk)
        for number in sorted({1, threads})
    }
    return [
        Row(
            name=name,
            params=macs.parameters(systems[name].tts),
            decoder_params=macs.decoder_parameters(systems[name].tts),
            size_mb=macs.size_mb(one.checkpoint),
            memory_mb=memory.memory_of(one, sentences[-1], vocoder_file),
            macs=macs.macs_per_second(systems[name], sentences),
            speed={number: by_name[name] for number, by_name in speeds.items()},
            model=str(one.checkpoint.absolute()),
            config=str(one.config_file.absolute()),
        )
        for name, one in experiments.items()
    ]


def require_stream(vocoder, chunk: int, vocoder_file: str | None) -> None:
    """Raise a ConfigError unless a vocoder streams chunks of a number of frames."""
    if not hasattr(vocoder, "stream"):
        raise ConfigError(
            f"--chunk: {vocoder_file or 'Griffin-Lim'} cannot synthesize in chunks; "
            "give a distilled vocoder, or omit --chunk"
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


def sentences_for(experiment: Experiment) -> list[str]:
    """Return English sentences for an English g2p, otherwise the validation's texts.

    Raises:
        ConfigError: The validation's text is not here.
    """
    from espnet_distill.data.front_end import FrontEnd

    conf = experiment.config
    if FrontEnd.of(conf).language == ENGLISH:
        return SENTENCES
    files = conf.get("valid_data_path_and_name_and_type") or []
    texts = [Path(path) for path, name, *_ in files if name == "text"]
    if not texts or not texts[0].is_file():
        raise ConfigError(
            f"{experiment}: has no English g2p, and the text of its validation is not "
            "here; name a data folder with --data, or --sentences"
        )
    return _texts_of(texts[0], str(experiment))


def _texts_of(path: Path, where: str) -> list[str]:
    """Return the texts of a table ``<utterance> <text>``."""
    check_file(path, where)
    texts = [text for text in read_table(path).values() if text]
    if not texts:
        raise ConfigError(f"{where}: {path} has no sentences")
    return texts


def _names(experiments: list[str]) -> list[str]:
    names = [_name(experiment) for experiment in experiments]
    require_distinct(names)
    return names


def _name(experiment: str) -> str:
    path = Path(os.path.abspath(experiment))
    if path.suffix == ".pth":
        path = path.parent
    return path.name.removesuffix(".zip")
