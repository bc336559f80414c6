"""Hard concrete distribution: stochastic gates in [0, 1].

Louizos et al., ICLR 2018 (arXiv:1712.01312), with the interval and temperature of the
paper.
"""

import math

import torch

TEMPERATURE = 2 / 3


LOW, HIGH = -0.1, 1.1


def sampled(log_alpha: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Sample gates in [0, 1], eq. 10 and 11 of the paper.

    Args:
        log_alpha: Location of each gate, of any shape.
        uniform: Uniform noise in (0, 1), of the same shape.
    """
    return _stretched(torch.sigmoid((uniform.logit() + log_alpha) / TEMPERATURE))


def noiseless(log_alpha: torch.Tensor) -> torch.Tensor:
    """Return the deterministic gates of evaluation, eq. 13."""
    return _stretched(torch.sigmoid(log_alpha))


def chance_open(log_alpha: torch.Tensor) -> torch.Tensor:
    """Return the probability that a sampled gate is not 0, eq. 12."""
    return torch.sigmoid(log_alpha - TEMPERATURE * math.log(-LOW / HIGH))


def _stretched(s: torch.Tensor) -> torch.Tensor:
    return (s * (HIGH - LOW) + LOW).clamp(0, 1)
