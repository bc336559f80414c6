"""Speed of several systems, measured side by side."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import torch
from threadpoolctl import threadpool_limits

from espnet_distill.evaluation.stages import Spoken, Stages, median_of, speak
from espnet_distill.progress import watched


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


def turns(
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
    schedule = list(turns(list(systems), len(sentences), repeats + 1))
    warm_up = len(systems) * len(sentences)
    found: dict[str, list[Spoken]] = {name: [] for name in systems}
    with on_threads(threads):
        for place, (sentence, name) in enumerate(watched(schedule, desc="speed")):
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
