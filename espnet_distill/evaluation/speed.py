"""Real-time factors of several systems, measured side by side on one thread."""

import copy
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm


@dataclass(frozen=True)
class RealTimeFactors:
    """Processing time over audio time; text2mel is None for a model without mels."""

    text2mel: float | None
    text2wav: float


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


def real_time_factors(
    systems: dict, sentences: Sequence[str], repeats: int = 5
) -> dict[str, RealTimeFactors]:
    """Measure ESPnet ``Text2Speech`` systems by name, from token ids to waveform.

    All systems alternate; each figure is the median over sentences and repeats, after
    one round that is not counted. Text → mel is timed in a call of its own.
    """
    tokens = {
        name: [tokens_of(system, sentence) for sentence in sentences]
        for name, system in systems.items()
    }
    schedule = list(turns(list(systems), len(sentences), repeats + 1))
    warm_up = len(systems) * len(sentences)
    found: dict[str, list[RealTimeFactors]] = {name: [] for name in systems}
    with one_thread():
        for place, (sentence, name) in enumerate(tqdm(schedule, desc="speed")):
            factors = _measure(systems[name], tokens[name][sentence])
            if place >= warm_up:
                found[name].append(factors)
    return {name: _median(factors) for name, factors in found.items()}


def _measure(system, ids: torch.Tensor) -> RealTimeFactors:
    seconds, output = _timed(system, ids)
    audio = len(output["wav"]) / system.fs
    if system.vocoder is None:
        return RealTimeFactors(None, seconds / audio)
    mel_only = copy.copy(system)
    mel_only.vocoder = None
    return RealTimeFactors(_timed(mel_only, ids)[0] / audio, seconds / audio)


def _median(factors: list[RealTimeFactors]) -> RealTimeFactors:
    mel = [one.text2mel for one in factors if one.text2mel is not None]
    return RealTimeFactors(
        median(mel) if mel else None, median(one.text2wav for one in factors)
    )


def tokens_of(system, sentence: str) -> torch.Tensor:
    """Token ids (tokens,) of a sentence, by a ``Text2Speech``'s own text front end."""
    return torch.as_tensor(system.preprocess_fn("", {"text": sentence})["text"])


def _timed(system, ids: torch.Tensor) -> tuple[float, dict]:
    torch.manual_seed(0)  # a model that draws its durations says the same each time
    conditions = _any_voice(system)
    start = time.perf_counter()
    output = system(ids, **conditions)
    return time.perf_counter() - start, output


def _any_voice(system) -> dict[str, torch.Tensor]:
    """Conditions for a multi-speaker model: which voice has no part in the time."""
    conditions = {}
    if system.use_sids:
        conditions["sids"] = torch.zeros(1, dtype=torch.long)
    if system.use_lids:
        conditions["lids"] = torch.zeros(1, dtype=torch.long)
    if system.use_spembs:
        conditions["spembs"] = torch.zeros(system.tts.spk_embed_dim)
    if system.use_speech:
        conditions["speech"] = torch.zeros(system.fs)
    return conditions


@contextmanager
def one_thread():
    """Let torch and the libraries below it have one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)
