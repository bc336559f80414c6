import torch

from espnet_distill.objectives.base import Objective, Taps, masked_mean
from espnet_distill.objectives.laplace import laplace_distance


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
