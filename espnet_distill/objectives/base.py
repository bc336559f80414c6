"""What every objective is: one weighted term between a student's taps and a teacher's."""

from dataclasses import dataclass, field

import torch

from espnet_distill.errors import ConfigError


@dataclass
class Taps:
    """Tensors (B, T) or (B, T, C) of one forward pass, with the lengths (B,) along T."""

    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    lengths: dict[str, torch.Tensor] = field(default_factory=dict)

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.tensors[name]

    def require(self, name: str, whose: str) -> None:
        """Raise a ConfigError that lists the taps there are if `name` is not one."""
        if name not in self.tensors:
            raise ConfigError(
                f"{whose} has no tap {name!r}; it has {', '.join(self.tensors)}"
            )


class Objective(torch.nn.Module):
    """Compare some taps of a student with those of a teacher.

    A subclass names its taps in `taps` and computes `forward(student, teacher)`, a
    scalar that depends on neither padding nor the order of the batch.
    """

    taps: tuple[str, ...] = ()

    def __init__(self, weight: float = 1.0):
        super().__init__()
        self.weight = weight

    @property
    def label(self) -> str:
        """The name of this objective among the statistics of a run."""
        return type(self).__name__.lower()

    def attach(self, student: Taps, teacher: Taps) -> None:
        """Fit the objective to two models, given the taps of one tiny batch.

        Raises:
            ConfigError: a tap that either model lacks.
        """
        for tap in self.taps:
            student.require(tap, f"objective {self.label}: the student")
            teacher.require(tap, f"objective {self.label}: the teacher")


def masked_mean(error: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Mean of `error` (B, T) or (B, T, C) over the steps before each length (B,)."""
    steps = torch.arange(error.size(1), device=error.device)
    return error[steps < lengths.unsqueeze(1)].mean()


class SquaredError(Objective):
    """Mean squared error of one tap, over the real tokens."""

    def forward(self, student: Taps, teacher: Taps) -> torch.Tensor:
        (tap,) = self.taps
        error = (student[tap] - teacher[tap]).square()
        return masked_mean(error, student.lengths[tap])
