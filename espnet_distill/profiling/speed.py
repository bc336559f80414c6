"""Synthesis time, by stage, of several systems in turn."""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from statistics import median

import torch
from threadpoolctl import threadpool_limits

from espnet_distill.utils.progress import progress_bar


@dataclass(frozen=True)
class Stages:
    """What a second of speech costs, by stage and in all; None where there is none.

    A model without mels has text → wav only.
    """

    text2mel: float | None
    mel2wav: float | None
    text2wav: float | None


@dataclass(frozen=True)
class Spoken:
    """A sentence: stages a second of speech, its seconds, and what was read at first.

    ``first`` is how far the clock or counter went until there was sound to hear.
    """

    stages: Stages
    seconds: float
    first: float


def speak(
    system, inputs: dict, read: Callable[[], float], chunk: int | None = None
) -> Spoken:
    """Let an ESPnet ``Text2Speech`` speak once, watched by a clock or a counter.

    Args:
        system: What speaks.
        inputs: What it is called with, by name.
        read: Gives the clock's or counter's present value.
        chunk: Frames at a time that the vocoder turns into sound; None for all.
    """
    progress_bar = copy.copy(system)
    if system.vocoder is not None:
        progress_bar.vocoder = _Watched(system.vocoder, read, chunk)
    torch.manual_seed(0)  # a model that draws its durations says the same each time
    start = read()
    output = progress_bar(**inputs)
    end = read()
    seconds = len(output["wav"]) / system.fs
    whole = (end - start) / seconds
    if system.vocoder is None:
        return Spoken(Stages(None, None, whole), seconds, end - start)
    middle = progress_bar.vocoder.at_mels
    stages = Stages((middle - start) / seconds, (end - middle) / seconds, whole)
    return Spoken(stages, seconds, progress_bar.vocoder.at_sound - start)


def median_of(found: Sequence[Stages]) -> Stages:
    """Return the median of each stage."""
    return Stages(
        *(
            None if None in values else median(values)
            for values in zip(*map(astuple, found))
        )
    )


class _Watched:
    """A vocoder that notes the readings at its mels and at its first sound."""

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

    Latency is the time until the first sound is there: all of the sentence, unless the
    vocoder speaks in chunks.
    """

    rtf: Stages
    latency: float


def three_lengths(texts: Sequence[str]) -> list[str]:
    """Choose a short, a middling and a long sentence: 10, 50 and 90 % of the way."""
    ordered = sorted(texts, key=len)
    return [ordered[round(share * (len(ordered) - 1))] for share in (0.1, 0.5, 0.9)]


def round_robin(
    names: Sequence[str], sentences: int, repeats: int
) -> Iterator[tuple[int, str]]:
    """Yield (sentence, name): each round has every system once, in rotated order.

    So a machine that slows down or speeds up meanwhile favours none of them.
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

    All systems alternate on so many threads; each figure is the median over
    sentences and repeats, after one round that is not counted. With ``chunk`` the
    vocoders turn so many frames at a time into sound.
    """
    inputs = {
        name: [inputs_of(system, sentence) for sentence in sentences]
        for name, system in systems.items()
    }
    schedule = list(round_robin(list(systems), len(sentences), repeats + 1))
    warm_up = len(systems) * len(sentences)
    found: dict[str, list[Spoken]] = {name: [] for name in systems}
    with on_threads(threads):
        for place, (sentence, name) in enumerate(progress_bar(schedule, desc="speed")):
            asked = inputs[name][sentence]
            spoken = speak(systems[name], asked, time.perf_counter, chunk)
            if place >= warm_up:
                found[name].append(spoken)
    return {
        name: Speed(
            median_of([one.stages for one in spoken]),
            median(one.first for one in spoken),
        )
        for name, spoken in found.items()
    }


def tokens_of(system, sentence: str) -> torch.Tensor:
    """Token ids (tokens,) of a sentence, by a ``Text2Speech``'s own text front end."""
    return torch.as_tensor(system.preprocess_fn("", {"text": sentence})["text"])


def inputs_of(system, sentence: str) -> dict[str, torch.Tensor]:
    """What a ``Text2Speech`` is called with to speak a sentence.

    A multi-speaker model speaks in any voice: which has no part in what it costs.
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
    """Let torch and the libraries below it have so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        with threadpool_limits(number):
            yield
    finally:
        torch.set_num_threads(before)
