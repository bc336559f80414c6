"""Weights of several teachers in each utterance."""

import torch

from espnet_distill.errors import ConfigError
from espnet_distill.objectives.base import Taps

FUSIONS = ("mean", "confidence")


def require_fusion(name, where: str) -> str:
    """Return the name of a fusion, or raise a ConfigError that lists them."""
    if name not in FUSIONS:
        raise ConfigError(
            f"{where}: no fusion {name!r}; there are {', '.join(FUSIONS)}"
        )
    return name


def teacher_weights(
    fusion: str,
    teachers: list[Taps],
    truth: torch.Tensor,
    lengths: torch.Tensor,
    temperature: float = 1.0,
) -> torch.Tensor:
    """Return each teacher's weight in each utterance, (teachers, B); columns sum to 1.

    `mean` weighs all teachers equally. `confidence` gives teacher k the weight

        exp(-e_k / T) / sum_j exp(-e_j / T)

    where e_k is the mean absolute error of its mel in that utterance. At a low
    temperature T the teacher of the smallest error has nearly all of the weight
    (confidence-aware multi-teacher distillation, Zhang et al. 2022, arXiv:2201.00007).

    Args:
        fusion: `mean` or `confidence`.
        teachers: The taps of each teacher; `confidence` reads `mel_after`.
        truth: The recordings' mels (B, T, odim), normalized as the taps are.
        lengths: Frames (B,).
        temperature: Above 0.
    """
    if fusion == "mean":
        return truth.new_full((len(teachers), len(truth)), 1 / len(teachers))
    errors = [_utterance_error(taps["mel_after"], truth, lengths) for taps in teachers]
    return torch.softmax(-torch.stack(errors) / temperature, dim=0)


def _utterance_error(mel: torch.Tensor, truth: torch.Tensor, lengths: torch.Tensor):
    """Return the mean absolute error of each utterance, (B,)."""
    steps = torch.arange(truth.size(1), device=truth.device)
    padding = steps >= lengths.unsqueeze(1)
    error = (mel - truth).abs().mean(2).masked_fill(padding, 0)
    return error.sum(1) / lengths
