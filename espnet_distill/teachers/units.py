"""Taps in plain units, or normalised as one model has them."""

import torch
from espnet2.tts.espnet_model import ESPnetTTSModel

from espnet_distill.objectives.base import Taps

NORMALIZERS = {
    "mel_before": "normalize",
    "mel_after": "normalize",
    "pitch": "pitch_normalize",
    "energy": "energy_normalize",
}


def in_plain_units(taps: Taps, model: ESPnetTTSModel) -> Taps:
    """Undo the model's normalisation of its mel, pitch and energy."""
    return _mapped(taps, lambda x, name: _undo(x, getattr(model, name)))


def in_units_of(model: ESPnetTTSModel, taps: Taps) -> Taps:
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
