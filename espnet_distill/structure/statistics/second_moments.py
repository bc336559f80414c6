"""Second moments of the inputs of a model's layers."""

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from espnet_distill.structure.groups import Axis, Group
from espnet_distill.structure.layer_norm import is_normalized, layer_norms, renormalize
from espnet_distill.structure.statistics.calibration import Calibration
from espnet_distill.structure.statistics.hooks import (
    ACTIVATIONS,
    REMEDY,
    evaluation_mode,
    observe_inputs,
)
from espnet_distill.utils.distributed import summed
from espnet_distill.utils.validation import require_finite


@dataclass(frozen=True)
class Moments:
    """Moments of a reader's input: x of all units, y of the units that stay.

    y differs from the same units of x after a normalization, which is then over fewer
    units.

    Attributes:
        before: E[x xᵀ], (size, size).
        cross: E[y xᵀ], (kept, size).
        after: E[y yᵀ], (kept, kept).
        positions: Number of positions in the means.
    """

    before: torch.Tensor
    cross: torch.Tensor
    after: torch.Tensor
    positions: float = math.inf

    @classmethod
    def of(
        cls, second: torch.Tensor, kept: torch.Tensor, positions: float
    ) -> "Moments":
        """Return moments of units, (size, size), without a normalization."""
        cross = second[kept]
        return cls(second, cross, cross[:, kept], positions)


class Mean:
    """Mean of products over the positions of all processes."""

    def __init__(self, total: torch.Tensor | int = 0, count: int = 0):
        """Start empty, or with the sum over ``count`` positions."""
        self.sum, self.count = total, count

    def add(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """Add x yᵀ, summed over positions: (inputs, positions) each."""
        products = x.double() @ y.double().T
        self.sum = products + torch.as_tensor(self.sum).to(products)
        self.count += x.size(1)

    @property
    def value(self) -> torch.Tensor:
        """Return E[x yᵀ]."""
        return summed(self.sum) / self.positions

    @property
    def positions(self) -> float:
        """Return the number of positions of all processes."""
        return summed(self.sum.new_tensor(self.count)).item()


class SecondMoments:
    """E[x xᵀ] of the inputs of a model's layers, by name of the weight."""

    def __init__(self):
        """Start empty."""
        self._means: dict[str, Mean] = {}

    def observe(self, name: str, x: torch.Tensor) -> None:
        """Add an input, (inputs, positions)."""
        x = x.float()
        self._means.setdefault(name, Mean()).add(x, x)

    def mean(self) -> dict[str, torch.Tensor]:
        """Return weight → (inputs, inputs).

        Raises:
            ConfigError: An input had NaN or infinity.
        """
        means = {name: mean.value for name, mean in self._means.items()}
        require_finite(means, ACTIVATIONS, REMEDY)
        return means

    def positions(self) -> dict[str, float]:
        """Return weight → number of positions."""
        return {name: mean.positions for name, mean in self._means.items()}

    def state_dict(self) -> dict[str, tuple[torch.Tensor, int]]:
        """Return weight → sum and number of positions of this process."""
        return {name: (mean.sum, mean.count) for name, mean in self._means.items()}

    def load_state_dict(self, state: Mapping[str, tuple[torch.Tensor, int]]) -> None:
        """Restore sums and numbers of positions."""
        self._means = {name: Mean(*values) for name, values in state.items()}

    def has_observed(self, name: str, positions: int) -> bool:
        """Return True if this process has observed that many positions of a weight."""
        return name in self._means and self._means[name].count >= positions


def readers_of(group: Group) -> list[Axis]:
    """Return the axes of the weights that read each unit at one position."""
    return [axis for axis in group.axes if axis.dim == 1 and len(axis.places) == 1]


def second_moments(
    model: nn.Module, calibration: Calibration, only: Container[str] | None = None
) -> dict[str, torch.Tensor]:
    """Return E[x xᵀ] of a model's inputs, weight → (inputs, inputs).

    The mean is over all positions of all batches, padded ones too, in double precision.

    Args:
        model: The model, which is in evaluation mode meanwhile.
        calibration: The calibration data.
        only: Names of the weights; None for all. Transposed and grouped convolutions
            and embeddings are not observed.
    """
    moments = SecondMoments()
    with observe_inputs(model, moments.observe, only), evaluation_mode(model):
        calibration.run()
    return moments.mean()


def moments_of(
    model: nn.Module,
    calibration: Calibration,
    kept: Sequence[tuple[Group, torch.Tensor]],
) -> list[dict[str, Moments]]:
    """Return the moments of each group's units at the inputs of their readers.

    Args:
        model: The model, which is in evaluation mode meanwhile.
        calibration: The calibration data.
        kept: Groups, and the units of each that stay, (units,).

    Returns:
        For each group, reader's weight → moments. A reader is omitted if it is not
        observed, if it has a unit at several positions, or if its input is not the
        immediate output of the group's normalization. All readers of a group with
        several normalizations are omitted.

    Raises:
        ConfigError: An input had NaN or infinity.
    """
    by_weight: dict[str, list[_Observer]] = {}
    by_group: list[dict[str, _Observer]] = []
    for group, units in kept:
        norms = layer_norms(model, group)
        axes = readers_of(group) if len(norms) < 2 else []
        by_group.append(
            {axis.parameter: _Observer(axis, units, norms) for axis in axes}
        )
        for name, observer in by_group[-1].items():
            by_weight.setdefault(name, []).append(observer)

    def observe(name: str, x: torch.Tensor) -> None:
        for observer in by_weight[name]:
            observer.observe(x.float())

    with observe_inputs(model, observe, only=by_weight), evaluation_mode(model):
        calibration.run()
    result = [
        {name: observer.moments() for name, observer in group.items() if observer.valid}
        for group in by_group
    ]
    for moments in result:
        values = {name: one.before for name, one in moments.items()}
        require_finite(values, ACTIVATIONS, REMEDY)
    return result


class _Observer:
    """Accumulates the moments of one reader of a group.

    ``valid`` is None before the first input, and False if an input was not the output
    of the group's normalization.
    """

    def __init__(self, axis: Axis, kept: torch.Tensor, norms: list[nn.LayerNorm]):
        self._places, self._kept = axis.places[0], kept
        self._norm = norms[0] if norms else None
        self._before, self._cross, self._after = Mean(), Mean(), Mean()
        self.valid: bool | None = None

    def observe(self, x: torch.Tensor) -> None:
        x = x[self._places.to(x.device)]
        self.valid = self.valid is not False
        self._before.add(x, x)
        if self._norm is not None:
            self.valid = self.valid and is_normalized(x, self._norm)
            y = renormalize(x, self._norm, self._kept)
            self._cross.add(y, x)
            self._after.add(y, y)

    def moments(self) -> Moments:
        before, positions = self._before.value, self._before.positions
        if self._norm is None:
            return Moments.of(before, self._kept, positions)
        return Moments(before, self._cross.value, self._after.value, positions)
