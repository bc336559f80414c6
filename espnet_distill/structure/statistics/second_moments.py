"""Second moments of what a model's layers read."""

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from espnet_distill.structure.groups import Axis, Group
from espnet_distill.structure.layer_norm import is_normalised, layer_norms, renormalised
from espnet_distill.structure.statistics.hooks import (
    ACTIVATIONS,
    REMEDY,
    evaluation_mode,
    observe_inputs,
    run_batches,
)
from espnet_distill.utils.distributed import summed
from espnet_distill.utils.validation import require_finite


@dataclass(frozen=True)
class Moments:
    """What a reader gets from a group: x of all units, y of those that stay, later.

    They differ behind a normalisation, which is then over fewer units.

    Attributes:
        before: E[x xᵀ], (size, size).
        cross: E[y xᵀ], (kept, size).
        after: E[y yᵀ], (kept, kept).
        positions: How many they are means over.
    """

    before: torch.Tensor
    cross: torch.Tensor
    after: torch.Tensor
    positions: float = math.inf

    @classmethod
    def of(
        cls, second: torch.Tensor, kept: torch.Tensor, positions: float
    ) -> "Moments":
        """Make those of units, (size, size), that are read as they are."""
        cross = second[kept]
        return cls(second, cross, cross[:, kept], positions)


class Mean:
    """A mean of products over positions, of what all processes heard."""

    def __init__(self, total: torch.Tensor | int = 0, count: int = 0):
        """Begin with nothing heard, or with a sum of so many positions."""
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
        """Return how many were heard."""
        return summed(self.sum.new_tensor(self.count)).item()


class SecondMoments:
    """E[x xᵀ] of what a model's layers read, by name of the weight."""

    def __init__(self):
        """Begin with nothing heard."""
        self._means: dict[str, Mean] = {}

    def observe(self, name: str, x: torch.Tensor) -> None:
        """Add an input, (inputs, positions)."""
        x = x.float()
        self._means.setdefault(name, Mean()).add(x, x)

    def mean(self) -> dict[str, torch.Tensor]:
        """Return weight → (inputs, inputs).

        Raises:
            ConfigError: What a layer read was NaN or infinite.
        """
        means = {name: mean.value for name, mean in self._means.items()}
        require_finite(means, ACTIVATIONS, REMEDY)
        return means

    def positions(self) -> dict[str, float]:
        """Return weight → how many positions were heard."""
        return {name: mean.positions for name, mean in self._means.items()}

    def state_dict(self) -> dict[str, tuple[torch.Tensor, int]]:
        """Return weight → sum and number of positions of this process."""
        return {name: (mean.sum, mean.count) for name, mean in self._means.items()}

    def load_state_dict(self, state: Mapping[str, tuple[torch.Tensor, int]]) -> None:
        """Go on from a state."""
        self._means = {name: Mean(*told) for name, told in state.items()}

    def knows(self, name: str, positions: int) -> bool:
        """Tell whether this process has heard so many positions of a weight's input."""
        return name in self._means and self._means[name].count >= positions


def readers_of(group: Group) -> list[Axis]:
    """Return where a group's units are read, each in one place."""
    return [axis for axis in group.axes if axis.dim == 1 and len(axis.places) == 1]


def second_moments(
    model: nn.Module, losses: Iterable, only: Container[str] | None = None
) -> dict[str, torch.Tensor]:
    """Return E[x xᵀ] of a model's inputs, weight that reads them → (inputs, inputs).

    The mean is over all positions of all batches, padded ones too, in double precision.

    Args:
        model: The model; it does not train meanwhile.
        losses: Whatever makes it run on batch after batch as it is drawn.
        only: Names of the weights; None for all. What is transposed, grouped or an
            embedding is not heard.
    """
    moments = SecondMoments()
    with observe_inputs(model, moments.observe, only), evaluation_mode(model):
        run_batches(losses)
    return moments.mean()


def moments_of(
    model: nn.Module, losses: Iterable, kept: Sequence[tuple[Group, torch.Tensor]]
) -> list[dict[str, Moments]]:
    """Return the moments of each group's units where they are read.

    Args:
        model: The model; it does not train meanwhile.
        losses: Whatever makes it run on batch after batch as it is drawn.
        kept: Groups, and the units of each that stay, (units,).

    Returns:
        For each group, reader's weight → moments. Readers are left out that are not
        heard, that have a unit in several places, or between which and a normalisation
        there is anything; so are all of a group that has several normalisations.

    Raises:
        ConfigError: What a reader got was NaN or infinite.
    """
    ears: dict[str, list[_Observer]] = {}
    own: list[dict[str, _Observer]] = []
    for group, units in kept:
        norms = layer_norms(model, group)
        axes = readers_of(group) if len(norms) < 2 else []
        own.append({axis.parameter: _Observer(axis, units, norms) for axis in axes})
        for name, observer in own[-1].items():
            ears.setdefault(name, []).append(observer)

    def observe(name: str, x: torch.Tensor) -> None:
        for observer in ears[name]:
            observer.observe(x.float())

    with observe_inputs(model, observe, only=ears), evaluation_mode(model):
        run_batches(losses)
    found = [
        {name: observer.moments() for name, observer in heard.items() if observer.knows}
        for heard in own
    ]
    for moments in found:
        values = {name: one.before for name, one in moments.items()}
        require_finite(values, ACTIVATIONS, REMEDY)
    return found


class _Observer:
    """Hears one reader of a group."""

    def __init__(self, axis: Axis, kept: torch.Tensor, norms: list[nn.LayerNorm]):
        self._places, self._kept = axis.places[0], kept
        self._norm = norms[0] if norms else None
        self._before, self._cross, self._after = Mean(), Mean(), Mean()
        self.knows: bool | None = None

    def observe(self, x: torch.Tensor) -> None:
        x = x[self._places.to(x.device)]
        self.knows = self.knows is not False
        self._before.add(x, x)
        if self._norm is not None:
            self.knows = self.knows and is_normalised(x, self._norm)
            y = renormalised(x, self._norm, self._kept)
            self._cross.add(y, x)
            self._after.add(y, y)

    def moments(self) -> Moments:
        before, positions = self._before.value, self._before.positions
        if self._norm is None:
            return Moments.of(before, self._kept, positions)
        return Moments(before, self._cross.value, self._after.value, positions)
