import torch

from espnet_distill.errors import ConfigError
from espnet_distill.objectives.base import Representation, Taps, masked_mean


class Hidden(Representation):
    """L1 distance of a hidden representation, after FitNets (arXiv:1412.6550).

    Where the widths differ, a learned linear projection takes the student's to the
    teacher's. It trains with the student and is no part of what the student saves.
    """

    def __init__(self, tap: str, weight: float = 1.0):
        super().__init__(tap, weight)
        self.projection = torch.nn.Identity()

    def attach(self, student: Taps, teacher: Taps) -> None:
        super().attach(student, teacher)
        (tap,) = self.taps
        ours, theirs = student[tap], teacher[tap]
        if ours.dim() != 3 or tap not in student.lengths:
            raise ConfigError(
                f"objective {self.label}: {tap} is no sequence of vectors; choose "
                "encoder, decoder or the name of a module"
            )
        if ours.shape[:2] != theirs.shape[:2]:
            raise ConfigError(
                f"objective {self.label}: the student's {tap} has {ours.size(1)} steps "
                f"where the teacher's has {theirs.size(1)}; choose another tap"
            )
        if ours.size(2) != theirs.size(2):
            self.projection = torch.nn.Linear(ours.size(2), theirs.size(2))

    def forward(self, student: Taps, teacher: Taps, shares=None) -> torch.Tensor:
        (tap,) = self.taps
        error = (self.projection(student[tap]) - teacher[tap]).abs()
        return masked_mean(error, student.lengths[tap], shares)
