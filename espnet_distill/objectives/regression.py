"""Regression objectives: mel, duration, pitch and energy."""

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


class Mel(Objective):
    """Distance of the student's mel to the teacher's final mel; L1 at temperature 1.

    As ESPnet does with the ground truth, both the mel before the student's postnet
    and the one after it are held against the target; a student without a postnet has
    one term. Targets are in the student's feature space (sequence-level distillation,
    as in FastSpeech, arXiv:1905.09263, with the teacher forced to the real timing).
    """

    taps = ("mel_before", "mel_after")
    targets = ("mel_after",)

    def forward(self, student: Taps, teacher: Taps, shares=None) -> torch.Tensor:
        before, after = student["mel_before"], student["mel_after"]
        target, lengths = teacher["mel_after"], student.lengths["mel_after"]

        def distance(mel):
            error = laplace_distance(mel, target, self.temperature)
            return masked_mean(error, lengths, shares)

        return distance(after) + (distance(before) if after is not before else 0)


class Duration(LaplaceMatch):
    """Distance of the predicted log-durations, log(1 + frames)."""

    taps = ("duration",)


class Pitch(LaplaceMatch):
    """Distance of the predicted token pitch, in the student's normalised space."""

    taps = ("pitch",)


class Energy(LaplaceMatch):
    """Distance of the predicted token energy, in the student's normalised space."""

    taps = ("energy",)
