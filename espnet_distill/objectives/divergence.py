"""Divergences between distributions: stop token and attention."""

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


class Attention(Objective):
    """Divergence of the attention over the text, for each real decoder step.

    T² KL(a_t^(1/T) || a_s^(1/T)), both made to sum to 1 over the real tokens: the
    weights a are a softmax of scores, and a^(1/T) is that of scores / T (Hinton et al.
    2015, arXiv:1503.02531). Of a model with many heads it is the most focused one of
    each utterance, see `espnet_distill.teachers.taps`.
    """

    taps = ("attention",)

    def forward(self, student: Taps, teacher: Taps, shares=None) -> torch.Tensor:
        tokens = student.lengths["attention_tokens"]
        ours = self._softened(student["attention"], tokens)
        theirs = self._softened(teacher["attention"], tokens)
        # Padding is -inf in both: there the product is 0.
        ratio = torch.where(theirs.isfinite(), theirs - ours, 0.0)
        divergence = (theirs.exp() * ratio).sum(2)
        mean = masked_mean(divergence, student.lengths["attention"], shares)
        return self.temperature**2 * mean

    def _softened(self, attention: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """Return log weights (B, T, T_text) at this temperature, -inf for padding."""
        smallest = torch.finfo(attention.dtype).tiny
        score = attention.clamp(min=smallest).log() / self.temperature
        places = torch.arange(attention.size(2), device=attention.device)
        padding = places >= tokens.unsqueeze(1)
        return score.masked_fill(padding.unsqueeze(1), -torch.inf).log_softmax(2)
