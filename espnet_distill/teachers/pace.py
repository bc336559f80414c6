"""Teacher's taps at the student's pace: so many frames a decoder step."""

import torch

from espnet_distill.objectives.base import Taps

FRAMES = ("mel_before", "mel_after", "stop")


def at_pace_of(ours: Taps, theirs: Taps) -> Taps:
    """Leave out the frames, or the steps between, that a student does not have.

    A student of r frames a step speaks no frames beyond the last whole step, and attends
    once for r steps of a teacher of one frame: as it did at the last of them.
    """
    tensors = dict(theirs.tensors)
    for name in FRAMES:
        if name in tensors and name in ours.tensors:
            tensors[name] = tensors[name][:, : ours[name].size(1)]
    if "attention" in tensors and "attention" in ours.tensors:
        tensors["attention"] = _thinned(tensors["attention"], ours["attention"].size(1))
    return Taps(tensors, theirs.lengths)


def _thinned(attention: torch.Tensor, steps: int) -> torch.Tensor:
    every = max(attention.size(1) // steps, 1)
    return attention[:, every - 1 :: every][:, :steps]
