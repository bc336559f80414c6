"""Real-valued predictions matched as Laplace distributions, softened by temperature."""

import torch

from espnet_distill.objectives.base import Objective, Taps, masked_mean


def laplace_distance(
    student: torch.Tensor, teacher: torch.Tensor, temperature: float = 1.0
) -> torch.Tensor:
    """Cross-entropy of two Laplace distributions, element by element, from 0.

    An L1 loss is the likelihood of a Laplace distribution of scale 1 around the
    student's prediction s. A teacher at temperature T ≥ 1 is one of scale b = T - 1
    around its prediction t: a point at T = 1, the softer the hotter, as a classifier's
    targets are (Hinton et al. 2015, arXiv:1503.02531). With d = |s - t|, and up to a
    constant, KL(Laplace(t, b) || Laplace(s, 1)) = E|x - s| = d + b exp(-d / b) (the
    mean absolute deviation of a Laplace variable from s). Less its value at d = 0:

        d + b (exp(-d / b) - 1)

    At T = 1 that is |s - t|, plain matching. At higher T differences well below T - 1
    count quadratically, as d² / 2b, and larger ones as d - b: what the student cannot
    tell from the teacher's own uncertainty no longer pulls at it. Below 1 there is
    nothing sharper than a point: T < 1 is taken as T = 1.
    """
    difference = (student - teacher).abs()
    scale = temperature - 1.0
    if scale <= 0:
        return difference
    return difference + scale * torch.expm1(-difference / scale)


class LaplaceMatch(Objective):
    """`laplace_distance` of one tap, averaged over the real tokens."""

    def forward(self, student: Taps, teacher: Taps, shares=None) -> torch.Tensor:
        (tap,) = self.taps
        error = laplace_distance(student[tap], teacher[tap], self.temperature)
        return masked_mean(error, student.lengths[tap], shares)
