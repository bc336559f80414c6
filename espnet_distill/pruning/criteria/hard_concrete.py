"""Hard concrete variables: gates that may be shut, open, or anything between.

Louizos et al., ICLR 2018 (arXiv:1712.01312); the stretched interval and the temperature
are theirs.
"""

import math

import torch

TEMPERATURE = 2 / 3


LOW, HIGH = -0.1, 1.1


def sampled(log_alpha: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Return gates from 0 to 1, eq. 10 and 11 of the paper.

    Args:
        log_alpha: How open each gate is, of any shape.
        uniform: Noise from 0 to 1, of the same shape.
    """
    return _stretched(torch.sigmoid((uniform.logit() + log_alpha) / TEMPERATURE))


def noiseless(log_alpha: torch.Tensor) -> torch.Tensor:
    """Return the gates that a model has outside training, eq. 13."""
    return _stretched(torch.sigmoid(log_alpha))


def chance_open(log_alpha: torch.Tensor) -> torch.Tensor:
    """Return the probability that a sampled gate is not 0, eq. 12."""
    return torch.sigmoid(log_alpha - TEMPERATURE * math.log(-LOW / HIGH))


def _stretched(s: torch.Tensor) -> torch.Tensor:
    return (s * (HIGH - LOW) + LOW).clamp(0, 1)
