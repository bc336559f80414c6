import torch
from torch.nn.functional import normalize

from espnet_distill.errors import ConfigError
from espnet_distill.objectives.base import Representation, Taps, masked_mean


class Relation(Representation):
    """Distance of the cosine similarities between the steps of a representation.

    Which tokens, or frames, resemble which is compared, so widths may differ and no
    projection is learned (similarity-preserving distillation, Tung & Mori 2019,
    arXiv:1907.09682, with pairs within an utterance). It takes memory by the square of
    the length: choose a tap that runs along tokens.
    """

    def attach(self, student: Taps, teacher: Taps) -> None:
        super().attach(student, teacher)
        (tap,) = self.taps
        if student[tap].dim() != 3 or student[tap].size(1) != teacher[tap].size(1):
            raise ConfigError(
                f"objective {self.label}: {tap} is {list(student[tap].shape)} in the "
                f"student, {list(teacher[tap].shape)} in the teacher; choose a "
                "sequence of vectors that is as long in both"
            )

    def forward(self, student: Taps, teacher: Taps, shares=None) -> torch.Tensor:
        (tap,) = self.taps
        lengths = student.lengths[tap]
        error = (_similarity(student[tap]) - _similarity(teacher[tap])).abs()
        steps = torch.arange(error.size(2), device=error.device)
        padding = (steps >= lengths.unsqueeze(1)).unsqueeze(1)
        error = error.masked_fill(padding, 0).sum(2) / lengths.unsqueeze(1)
        return masked_mean(error, lengths, shares)


def _similarity(x: torch.Tensor) -> torch.Tensor:
    x = normalize(x, dim=2)
    return x @ x.mT
