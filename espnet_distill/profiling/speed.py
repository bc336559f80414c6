"""Measure synthesis time by stage, alternating between systems."""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from statistics import median

import torch
from threadpoolctl import threadpool_limits

from espnet_distill.teachers.text_to_wave import decoder_of, is_text_to_wave
from espnet_distill.utils.patching import patched
from espnet_distill.utils.progress import progress_bar


@dataclass(frozen=True)
class Stages:
    """Cost a second of speech by stage; None for a stage that the system lacks.

    A text-to-waveform model has no mels, but latents that its decoder turns into the
    waveform.
    """

    text2mel: float | None
    mel2wav: float | None
    text2wav: float | None
    text2latents: float | None = None
    latents2wav: float | None = None


@dataclass(frozen=True)
class SynthesisRun:
    """Costs of one synthesized sentence.

    Attributes:
        stages: Cost a second of speech, by stage.
        seconds: Length of the speech.
        first: Cost until the first samples of the waveform.
    """

    stages: Stages
    seconds: float
    first: float


def run_synthesis(
    system, inputs: dict, read: Callable[[], float], chunk: int | None = None
) -> SynthesisRun:
    """Synthesize once with an ESPnet ``Text2Speech`` and measure the cost by stage.

    Args:
        system: The ``Text2Speech``.
        inputs: Its keyword arguments.
        read: Returns the current value of a clock or counter.
        chunk: Frames that the vocoder converts at a time; None for all.
    """
    instrumented = copy.copy(system)
    if system.vocoder is not None:
        instrumented.vocoder = _InstrumentedVocoder(system.vocoder, read, chunk)
    torch.manual_seed(0)  # the same output each time if durations are sampled
    with _read_around_decoder(system, read) as decoder:
        start = read()
        output = instrumented(**inputs)
        end = read()
    seconds = len(output["wav"]) / system.fs
    whole = (end - start) / seconds
    if decoder:
        parts = (whole - decoder.cost / seconds, decoder.cost / seconds)
        return SynthesisRun(Stages(None, None, whole, *parts), seconds, end - start)
    if system.vocoder is None:
        return SynthesisRun(Stages(None, None, whole), seconds, end - start)
    middle = instrumented.vocoder.at_mels
    stages = Stages((middle - start) / seconds, (end - middle) / seconds, whole)
    return SynthesisRun(stages, seconds, instrumented.vocoder.at_sound - start)


@dataclass
class _Decoder:
    """Cost of a waveform decoder."""

    cost: float = 0.0


@contextmanager
def _read_around_decoder(
    system, read: Callable[[], float]
) -> Iterator[_Decoder | None]:
    """Yield the cost of a text-to-waveform model's decoder within the context.

    None for other systems. ESPnet's HiFi-GAN calls its own `forward`, past any hook.
    """
    tts = getattr(system, "tts", None)
    if tts is None or not is_text_to_wave(tts):
        yield None
        return
    module, decoder = decoder_of(tts), _Decoder()
    forward = module.forward

    def timed(*args, **kwargs):
        start = read()
        output = forward(*args, **kwargs)
        decoder.cost += read() - start
        return output

    with patched(module, forward=timed):
        yield decoder


def median_of(runs: Sequence[Stages]) -> Stages:
    """Return the median of each stage."""
    return Stages(
        *(
            None if None in values else median(values)
            for values in zip(*map(astuple, runs))
        )
    )


class _InstrumentedVocoder:
    """Vocoder wrapper that records the readings at its input and first output."""

    def __init__(self, vocoder: Callable, read: Callable[[], float], chunk: int | None):
        self.vocoder = vocoder
        self.read = read
        self.chunk = chunk

    def __call__(self, mels: torch.Tensor) -> torch.Tensor:
        self.at_mels = self.read()
        pieces = []
        for piece in self._pieces(mels):
            if not pieces:
                self.at_sound = self.read()
            pieces.append(piece)
        return torch.cat(pieces)

    def _pieces(self, mels: torch.Tensor):
        if self.chunk is None:
            return [self.vocoder(mels)]
        return self.vocoder.stream(mels, self.chunk)


@dataclass(frozen=True)
class Speed:
    """Real-time factors (processing over audio time) and latency in seconds.

    Latency is the time until the first samples: the whole sentence, unless the vocoder
    synthesizes in chunks.
    """

    rtf: Stages
    latency: float


def three_lengths(texts: Sequence[str]) -> list[str]:
    """Choose a short, a medium and a long sentence: percentiles 10, 50 and 90."""
    ordered = sorted(texts, key=len)
    return [
        ordered[round(quantile * (len(ordered) - 1))] for quantile in (0.1, 0.5, 0.9)
    ]


def round_robin(
    names: Sequence[str], sentences: int, repeats: int
) -> Iterator[tuple[int, str]]:
    """Yield (sentence index, name): every system once a round, in rotated order.

    Changes in the machine's speed thus affect all systems alike.
    """
    for turn in range(repeats * sentences):
        first = turn % len(names)
        for name in (*names[first:], *names[:first]):
            yield turn % sentences, name


def measure(
    systems: dict,
    sentences: Sequence[str],
    repeats: int = 5,
    threads: int = 1,
    chunk: int | None = None,
) -> dict[str, Speed]:
    """Measure ESPnet ``Text2Speech`` systems by name, from token ids to waveform.

    The systems alternate on ``threads`` threads. Each figure is a median over sentences
    and repeats, after a warm-up round. With ``chunk`` the vocoders convert that many
    frames at a time.
    """
    inputs = {
        name: [inputs_of(system, sentence) for sentence in sentences]
        for name, system in systems.items()
    }
    schedule = list(round_robin(list(systems), len(sentences), repeats + 1))
    warm_up = len(systems) * len(sentences)
    runs: dict[str, list[SynthesisRun]] = {name: [] for name in systems}
    with on_threads(threads):
        for index, (sentence, name) in enumerate(progress_bar(schedule, desc="speed")):
            run = run_synthesis(
                systems[name], inputs[name][sentence], time.perf_counter, chunk
            )
            if index >= warm_up:
                runs[name].append(run)
    return {
        name: Speed(
            median_of([run.stages for run in measured]),
            median(run.first for run in measured),
        )
        for name, measured in runs.items()
    }


def tokens_of(system, sentence: str) -> torch.Tensor:
    """Return the token ids (tokens,) of a sentence, from the system's front end."""
    return torch.as_tensor(system.preprocess_fn("", {"text": sentence})["text"])


def inputs_of(system, sentence: str) -> dict[str, torch.Tensor]:
    """Return the keyword arguments of a ``Text2Speech`` for a sentence.

    Speaker, language and reference inputs are zeros: they do not affect the cost.
    """
    inputs = {"text": tokens_of(system, sentence)}
    if system.use_sids:
        inputs["sids"] = torch.zeros(1, dtype=torch.long)
    if system.use_lids:
        inputs["lids"] = torch.zeros(1, dtype=torch.long)
    if system.use_spembs:
        inputs["spembs"] = torch.zeros(system.tts.spk_embed_dim)
    if system.use_speech:
        inputs["speech"] = torch.zeros(system.fs)
    return inputs


@contextmanager
def on_threads(number: int) -> Iterator[None]:
    """Limit torch and its native libraries to a number of threads."""
    previous = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        with threadpool_limits(number):
            yield
    finally:
        torch.set_num_threads(previous)
