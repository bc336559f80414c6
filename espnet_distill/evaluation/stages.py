"""Text → mel and mel → wav of one sentence, told apart in one run."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from statistics import median

import torch


@dataclass(frozen=True)
class Stages:
    """What a second of speech costs, by stage and in all; None where there is none.

    A model without mels has text → wav only.
    """

    text2mel: float | None
    mel2wav: float | None
    text2wav: float | None


def speak(system, inputs: dict, read: Callable[[], float]) -> tuple[Stages, float]:
    """Let an ESPnet ``Text2Speech`` speak once, watched by a clock or a counter.

    Args:
        system: What speaks.
        inputs: What it is called with, by name.
        read: Gives the clock's or counter's present value.

    Returns:
        How far ``read`` went, a second of speech, and the seconds of speech.
    """
    watched = copy.copy(system)
    if system.vocoder is not None:
        watched.vocoder = _Watched(system.vocoder, read)
    torch.manual_seed(0)  # a model that draws its durations says the same each time
    start = read()
    output = watched(**inputs)
    end = read()
    seconds = len(output["wav"]) / system.fs
    whole = (end - start) / seconds
    if system.vocoder is None:
        return Stages(None, None, whole), seconds
    middle = watched.vocoder.at_mels
    return Stages((middle - start) / seconds, (end - middle) / seconds, whole), seconds


def median_of(found: Sequence[Stages]) -> Stages:
    """Return the median of each stage."""
    return Stages(
        *(
            None if None in values else median(values)
            for values in zip(*map(astuple, found))
        )
    )


class _Watched:
    """A vocoder that notes the reading at which it was given its mels."""

    def __init__(self, vocoder: Callable, read: Callable[[], float]):
        self.vocoder = vocoder
        self.read = read

    def __call__(self, mels: torch.Tensor) -> torch.Tensor:
        self.at_mels = self.read()
        return self.vocoder(mels)
