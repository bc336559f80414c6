"""A teacher's taps in the units and at the reduction factor of its student."""

import torch
from espnet2.tts.espnet_model import ESPnetTTSModel

from espnet_distill.objectives.base import Taps

NORMALIZERS = {
    "mel_before": "normalize",
    "mel_after": "normalize",
    "pitch": "pitch_normalize",
    "energy": "energy_normalize",
}


def denormalize(taps: Taps, model: ESPnetTTSModel) -> Taps:
    """Undo the model's normalisation of its mel, pitch and energy."""
    return _mapped(taps, lambda x, name: _undo(x, getattr(model, name)))


def normalize_like(model: ESPnetTTSModel, taps: Taps) -> Taps:
    """Normalise mel, pitch and energy in plain units as the model does."""
    return _mapped(taps, lambda x, name: _do(x, getattr(model, name)))


def _mapped(taps: Taps, change) -> Taps:
    tensors = {
        name: change(tensor, NORMALIZERS[name]) if name in NORMALIZERS else tensor
        for name, tensor in taps.tensors.items()
    }
    return Taps(tensors, taps.lengths)


def _undo(x: torch.Tensor, normalize) -> torch.Tensor:
    return x if normalize is None else normalize.inverse(x.clone())[0]


def _do(x: torch.Tensor, normalize) -> torch.Tensor:
    return x if normalize is None else normalize(x.clone())[0]  # it works in place


FRAMES = ("mel_before", "mel_after", "stop")


def match_reduction_factor(ours: Taps, theirs: Taps) -> Taps:
    """Leave out the frames, or the steps between, that a student does not have.

    A student of r frames a step speaks no frames beyond the last whole step, and attends
    once for r steps of a teacher of one frame: as it did at the last of them.
    """
    tensors = dict(theirs.tensors)
    for name in FRAMES:
        if name in tensors and name in ours.tensors:
            tensors[name] = tensors[name][:, : ours[name].size(1)]
    if "attention" in tensors and "attention" in ours.tensors:
        tensors["attention"] = _every_nth(
            tensors["attention"], ours["attention"].size(1)
        )
    return Taps(tensors, theirs.lengths)


def _every_nth(attention: torch.Tensor, steps: int) -> torch.Tensor:
    every = max(attention.size(1) // steps, 1)
    return attention[:, every - 1 :: every][:, :steps]
