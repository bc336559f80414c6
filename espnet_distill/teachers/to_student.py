"""Convert a teacher's taps to the normalization and reduction factor of its student."""

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
    """Undo the model's normalization of mel, pitch and energy."""
    return _map_normalized(taps, lambda x, name: _denormalize(x, getattr(model, name)))


def normalize_like(model: ESPnetTTSModel, taps: Taps) -> Taps:
    """Normalize mel, pitch and energy with the statistics of a model."""
    return _map_normalized(taps, lambda x, name: _normalize(x, getattr(model, name)))


def _map_normalized(taps: Taps, convert) -> Taps:
    tensors = {
        name: convert(tensor, NORMALIZERS[name]) if name in NORMALIZERS else tensor
        for name, tensor in taps.tensors.items()
    }
    return Taps(tensors, taps.lengths)


def _denormalize(x: torch.Tensor, normalize) -> torch.Tensor:
    return x if normalize is None else normalize.inverse(_copy(x))[0]


def _normalize(x: torch.Tensor, normalize) -> torch.Tensor:
    return x if normalize is None else normalize(_copy(x))[0]


def _copy(x: torch.Tensor) -> torch.Tensor:
    """Copy a tensor for GlobalMVN, which works in place; half precision as float32.

    Log F0 is around 5, where bfloat16 has steps of 3 %.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32), copy=True)


FRAMES = ("mel_before", "mel_after", "stop")


def match_reduction_factor(student: Taps, teacher: Taps) -> Taps:
    """Drop the teacher's frames and attention steps that the student does not have.

    A student with reduction factor r predicts no frames after its last whole step. Its
    attention step corresponds to the last of r steps of a teacher with factor 1.
    """
    tensors = dict(teacher.tensors)
    for name in FRAMES:
        if name in tensors and name in student.tensors:
            tensors[name] = tensors[name][:, : student[name].size(1)]
    if "attention" in tensors and "attention" in student.tensors:
        tensors["attention"] = _every_nth(
            tensors["attention"], student["attention"].size(1)
        )
    return Taps(tensors, teacher.lengths)


def _every_nth(attention: torch.Tensor, steps: int) -> torch.Tensor:
    every = max(attention.size(1) // steps, 1)
    return attention[:, every - 1 :: every][:, :steps]
