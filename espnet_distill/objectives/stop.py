import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from espnet_distill.objectives.base import Objective, Taps, masked_mean


class Stop(Objective):
    """Divergence of the stop token's Bernoulli distributions, over the real frames.

    T² KL(sigmoid(t / T) || sigmoid(s / T)) of the logits t and s: distillation of a
    two-class classifier, the factor keeping its gradient's size whatever T is (Hinton
    et al. 2015, arXiv:1503.02531). For models that decide frame by frame when to stop,
    as Tacotron2 and Transformer.
    """

    taps = ("stop",)

    def forward(self, student: Taps, teacher: Taps, shares=None) -> torch.Tensor:
        ours = student["stop"] / self.temperature
        theirs = teacher["stop"] / self.temperature
        target = theirs.sigmoid()

        def cross_entropy(logits):
            return binary_cross_entropy_with_logits(logits, target, reduction="none")

        divergence = cross_entropy(ours) - cross_entropy(theirs)
        mean = masked_mean(divergence, student.lengths["stop"], shares)
        return self.temperature**2 * mean
