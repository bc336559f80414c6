"""Base classes of the objectives, the taps that they compare, and a masked mean."""

from dataclasses import dataclass, field

import torch

from espnet_distill.errors import ConfigError


@dataclass
class Taps:
    """Tensors (B, T) or (B, T, C) of one forward pass, with lengths (B,) along T."""

    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    lengths: dict[str, torch.Tensor] = field(default_factory=dict)

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.tensors[name]

    def require(self, name: str, whose: str) -> None:
        """Raise a ConfigError that lists the available taps if `name` is not one."""
        if name not in self.tensors:
            raise ConfigError(
                f"{whose} has no tap {name!r}; it has {', '.join(self.tensors)}"
            )


class Objective(torch.nn.Module):
    """One term of the distillation loss, between taps of a student and of a teacher.

    A subclass lists the student's taps in `taps`, the teacher's in `targets`, and
    computes `forward(student, teacher, utterance_weights)`: a scalar that depends on
    neither padding nor the order of the batch. `utterance_weights` (B,) are this
    teacher's weights, if several teachers are fused; None weighs each utterance by 1.
    """

    taps: tuple[str, ...] = ()

    def __init__(self, weight: float = 1.0, temperature: float = 1.0):
        super().__init__()
        self.weight = weight
        self.temperature = temperature

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the teacher's taps that it reads."""
        return self.taps

    @property
    def label(self) -> str:
        """Name of this objective among the statistics of a run."""
        return type(self).__name__.lower()

    def attach(self, student: Taps, teacher: Taps) -> None:
        """Fit the objective to two models, given the taps of one tiny batch.

        Raises:
            ConfigError: a tap that either model lacks.
        """
        for tap in self.taps:
            student.require(tap, f"objective {self.label}: the student")
        for tap in self.targets:
            teacher.require(tap, f"objective {self.label}: the teacher")


class Representation(Objective):
    """An objective on one hidden tap, which the configuration names.

    It has no temperature, because a representation is not a prediction.
    """

    def __init__(self, tap: str, weight: float = 1.0):
        super().__init__(weight)
        self.taps = (tap,)

    @property
    def label(self) -> str:
        (tap,) = self.taps
        return f"{super().label}_{tap.replace('.', '_')}"


def masked_mean(
    error: torch.Tensor,
    lengths: torch.Tensor,
    utterance_weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean of `error` (B, T, …) over the steps before each length (B,).

    With `utterance_weights` (B,), the errors of each utterance are multiplied by its
    weight first.
    """
    if utterance_weights is not None:
        error = error * utterance_weights.view(-1, *[1] * (error.dim() - 1))
    steps = torch.arange(error.size(1), device=error.device)
    return error[steps < lengths.unsqueeze(1)].mean()
