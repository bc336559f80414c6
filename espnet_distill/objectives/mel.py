import torch

from espnet_distill.objectives.base import Objective, Taps, masked_mean


class Mel(Objective):
    """L1 distance of the student's mel to the teacher's final mel.

    As ESPnet does with the ground truth, both the mel before the student's postnet
    and the one after it are held against the target; a student without a postnet has
    one term. Targets are in the student's feature space (sequence-level distillation,
    as in FastSpeech, arXiv:1905.09263, with the teacher forced to the real timing).
    """

    taps = ("mel_before", "mel_after")

    def forward(self, student: Taps, teacher: Taps) -> torch.Tensor:
        before, after = student["mel_before"], student["mel_after"]
        target, lengths = teacher["mel_after"], student.lengths["mel_after"]
        loss = masked_mean((after - target).abs(), lengths)
        if after is not before:
            loss = loss + masked_mean((before - target).abs(), lengths)
        return loss
