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
    watched = copy.copy(system)
    if system.vocoder is not None:
        watched.vocoder = _Watched(system.vocoder, read, chunk)
    torch.manual_seed(0)  # a model that draws its durations says the same each time
    start = read()
    output = watched(**inputs)
    end = read()
    seconds = len(output["wav"]) / system.fs
    whole = (end - start) / seconds
    if system.vocoder is None:
        return Spoken(Stages(None, None, whole), seconds, end - start)
    middle = watched.vocoder.at_mels
    stages = Stages((middle - start) / seconds, (end - middle) / seconds, whole)
    return Spoken(stages, seconds, watched.vocoder.at_sound - start)


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
