"""Regression objectives: mel, duration, pitch and energy."""

import torch

from espnet_distill.objectives.base import Objective, Taps, masked_mean


def laplace_distance(
    student: torch.Tensor, teacher: torch.Tensor, temperature: float = 1.0
) -> torch.Tensor:
    """Compute the elementwise KL divergence of two Laplace distributions, shifted to 0.

    An L1 loss is the negative log-likelihood of a Laplace distribution of scale 1
    around the student's prediction s. The target at temperature T ≥ 1 is a Laplace
    distribution of scale b = T - 1 around the teacher's prediction t: a point at T = 1,
    softer at higher T, as a classifier's targets are (Hinton et al. 2015,
    arXiv:1503.02531). With d = |s - t|, and up to a constant,
    KL(Laplace(t, b) || Laplace(s, 1)) = E|x - s| = d + b exp(-d / b), the mean absolute
    deviation of a Laplace variable from s. Subtracting the value at d = 0 gives

        d + b (exp(-d / b) - 1)

    At T = 1 this is |s - t|. At higher T, differences well below b count as d² / 2b and
    larger ones as d - b: the gradient vanishes for differences that are small beside
    the scale of the target. T < 1 is treated as T = 1, since no distribution is sharper
    than a point.
    """
    difference = (student - teacher).abs()
    scale = temperature - 1.0
    if scale <= 0:
        return difference
    return difference + scale * torch.expm1(-difference / scale)


class LaplaceMatch(Objective):
    """`laplace_distance` of one tap, averaged over the tokens without padding."""

    def forward(
        self, student: Taps, teacher: Taps, utterance_weights=None
    ) -> torch.Tensor:
        (tap,) = self.taps
        error = laplace_distance(student[tap], teacher[tap], self.temperature)
        return masked_mean(error, student.lengths[tap], utterance_weights)


class Mel(Objective):
    """Distance of the student's mel to the teacher's final mel; L1 at temperature 1.

    The mels before and after the student's postnet are both compared with the target,
    as ESPnet compares them with the ground truth; a student without a postnet has one
    term. Targets are in the student's feature space (sequence-level distillation, as in
    FastSpeech, arXiv:1905.09263, with the teacher at the recording's durations).
    """

    taps = ("mel_before", "mel_after")
    targets = ("mel_after",)

    def forward(
        self, student: Taps, teacher: Taps, utterance_weights=None
    ) -> torch.Tensor:
        before, after = student["mel_before"], student["mel_after"]
        target, lengths = teacher["mel_after"], student.lengths["mel_after"]

        def distance(mel):
            error = laplace_distance(mel, target, self.temperature)
            return masked_mean(error, lengths, utterance_weights)

        return distance(after) + (distance(before) if after is not before else 0)


class Duration(LaplaceMatch):
    """Distance of the predicted log-durations, log(1 + frames)."""

    taps = ("duration",)


class Pitch(LaplaceMatch):
    """Distance of the predicted token pitch, in the student's normalized space."""

    taps = ("pitch",)


class Energy(LaplaceMatch):
    """Distance of the predicted token energy, in the student's normalized space."""

    taps = ("energy",)
