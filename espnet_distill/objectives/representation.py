"""Objectives on hidden representations."""

import torch
from torch.nn.functional import normalize

from espnet_distill.errors import ConfigError
from espnet_distill.objectives.base import Representation, Taps, masked_mean


class Hidden(Representation):
    """L1 distance of a hidden representation, after FitNets (arXiv:1412.6550).

    Where the widths differ, a learned linear projection maps the student's to the
    teacher's. The projection trains with the student and is not saved with it.
    """

    def __init__(self, tap: str, weight: float = 1.0):
        super().__init__(tap, weight)
        self.projection = torch.nn.Identity()

    def attach(self, student: Taps, teacher: Taps) -> None:
        super().attach(student, teacher)
        (tap,) = self.taps
        student_tap, teacher_tap = student[tap], teacher[tap]
        if student_tap.dim() != 3 or tap not in student.lengths:
            raise ConfigError(
                f"objective {self.label}: {tap} is no sequence of vectors; choose "
                "encoder, decoder or the name of a module"
            )
        if student_tap.shape[:2] != teacher_tap.shape[:2]:
            raise ConfigError(
                f"objective {self.label}: the student's {tap} has "
                f"{student_tap.size(1)} steps where the teacher's has "
                f"{teacher_tap.size(1)}; choose another tap"
            )
        if student_tap.size(2) != teacher_tap.size(2):
            self.projection = torch.nn.Linear(student_tap.size(2), teacher_tap.size(2))

    def forward(
        self, student: Taps, teacher: Taps, utterance_weights=None
    ) -> torch.Tensor:
        (tap,) = self.taps
        error = (self.projection(student[tap]) - teacher[tap]).abs()
        return masked_mean(
            error, _common_steps(student, teacher, tap), utterance_weights
        )


class Relation(Representation):
    """Distance of the cosine similarities between the steps of a representation.

    Similarity-preserving distillation (Tung & Mori 2019, arXiv:1907.09682) with pairs
    of steps within an utterance. Widths may differ; no projection is learned. Memory
    grows with the square of the length, so choose a tap along tokens.
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

    def forward(
        self, student: Taps, teacher: Taps, utterance_weights=None
    ) -> torch.Tensor:
        (tap,) = self.taps
        lengths = _common_steps(student, teacher, tap)
        error = (_similarity(student[tap]) - _similarity(teacher[tap])).abs()
        steps = torch.arange(error.size(2), device=error.device)
        padding = (steps >= lengths.unsqueeze(1)).unsqueeze(1)
        error = error.masked_fill(padding, 0).sum(2) / lengths.unsqueeze(1)
        return masked_mean(error, lengths, utterance_weights)


def _common_steps(student: Taps, teacher: Taps, tap: str) -> torch.Tensor:
    """Return the lengths (B,) of the steps that both have.

    The text encoders of VITS and JETS have no state for the end of the sentence.
    """
    return torch.minimum(student.lengths[tap], teacher.lengths[tap])


def _similarity(x: torch.Tensor) -> torch.Tensor:
    """Return the cosine similarities (B, T, T) of the steps of (B, T, C)."""
    x = normalize(x, dim=2)
    return x @ x.mT
