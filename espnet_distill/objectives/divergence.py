"""Divergences between distributions: stop token and attention."""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from espnet_distill.objectives.base import Objective, Taps, masked_mean


class Stop(Objective):
    """Divergence of the stop token's Bernoulli distributions, over the frames.

    T² KL(sigmoid(t / T) || sigmoid(s / T)) of the logits t and s: distillation of a
    two-class classifier, where the factor T² keeps the gradient's size independent of T
    (Hinton et al. 2015, arXiv:1503.02531). For models that predict a stop token per
    frame: Tacotron2 and Transformer.
    """

    taps = ("stop",)

    def forward(
        self, student: Taps, teacher: Taps, utterance_weights=None
    ) -> torch.Tensor:
        student_logits = student["stop"] / self.temperature
        teacher_logits = teacher["stop"] / self.temperature
        target = teacher_logits.sigmoid()

        def cross_entropy(logits):
            return binary_cross_entropy_with_logits(logits, target, reduction="none")

        divergence = cross_entropy(student_logits) - cross_entropy(teacher_logits)
        mean = masked_mean(divergence, student.lengths["stop"], utterance_weights)
        return self.temperature**2 * mean


class Attention(Objective):
    """Divergence of the attention over the text, averaged over decoder steps.

    T² KL(a_t^(1/T) || a_s^(1/T)), both normalized to sum to 1 over the tokens without
    padding. The weights a are a softmax of scores, and a^(1/T), normalized, is the
    softmax of scores / T (Hinton et al. 2015, arXiv:1503.02531). Of several heads, the
    most focused one of each utterance is taken, see `espnet_distill.teachers.taps`.
    """

    taps = ("attention",)

    def forward(
        self, student: Taps, teacher: Taps, utterance_weights=None
    ) -> torch.Tensor:
        tokens = student.lengths["attention_tokens"]
        log_student = self._log_weights(student["attention"], tokens)
        log_teacher = self._log_weights(teacher["attention"], tokens)
        # Padding is -inf in both, where the product is to be 0.
        ratio = torch.where(log_teacher.isfinite(), log_teacher - log_student, 0.0)
        divergence = (log_teacher.exp() * ratio).sum(2)
        mean = masked_mean(divergence, student.lengths["attention"], utterance_weights)
        return self.temperature**2 * mean

    def _log_weights(
        self, attention: torch.Tensor, tokens: torch.Tensor
    ) -> torch.Tensor:
        """Return log weights (B, T, T_text) at the temperature, -inf in the padding."""
        smallest = torch.finfo(attention.dtype).tiny
        score = attention.clamp(min=smallest).log() / self.temperature
        positions = torch.arange(attention.size(2), device=attention.device)
        padding = positions >= tokens.unsqueeze(1)
        return score.masked_fill(padding.unsqueeze(1), -torch.inf).log_softmax(2)
