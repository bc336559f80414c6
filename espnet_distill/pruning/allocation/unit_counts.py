"""Allocate the units of each pruning group, for a pressure on the whole model."""

import math
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from espnet_distill.errors import ConfigError
from espnet_distill.structure.config_dims import MOST_DIMS, MULTIPLE, Shapes, count
from espnet_distill.structure.groups import Group
from espnet_distill.utils.bisection import nearest_root

TOLERANCE = 0.01  # of the model's parameters


RELATIVE = 0.02  # of the parameters that stay


HALVINGS = 40


TIED = "tied"


def require_pressure(value, where: str = "pressure") -> float:
    """Return a number in [0, 1), or raise a ConfigError that begins with `where`."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value < 1:
        raise ConfigError(f"{where}: {value!r} is not from 0 to below 1")
    return float(value)


class ParameterCounter:
    """Counts the parameters of a model without some of its units, exactly."""

    def __init__(self, groups: Sequence[Group], shapes: Shapes):
        """Index the axes of groups by parameter.

        Only parameters in ``shapes`` are counted; buffers are not.
        """
        self.sizes = np.array([group.size for group in groups], int)
        self.total = count(shapes)
        self.shapes = shapes
        flat = {a.parameter for g in groups for a in g.axes if a.dim is None}
        touched: dict[str, int] = {}
        entries = []
        for number, group in enumerate(groups):
            for axis in group.axes:
                if axis.parameter in shapes:
                    row = touched.setdefault(axis.parameter, len(touched))
                    entries.append((number, row, axis.dim or 0, len(axis.places)))
        self._dims = np.ones((len(touched), MOST_DIMS))
        for name, row in touched.items():
            shape = shapes[name]
            dims = (math.prod(shape),) if name in flat else shape
            self._dims[row, : len(dims)] = dims
        self._each = np.zeros((len(groups), len(touched), MOST_DIMS))
        for number, row, dim, places in entries:
            self._each[number, row, dim] += places
        self._fixed = self.total - round(self._dims.prod(axis=1).sum())

    def __call__(self, kept: Sequence[int]) -> int:
        """Count the parameters of the model, given the units kept of each group."""
        removed = self.sizes - np.asarray(kept)
        dims = self._dims - np.tensordot(removed, self._each, 1)
        return self._fixed + round(dims.prod(axis=1).sum())

    def expected(self, kept: torch.Tensor) -> torch.Tensor:
        """Count, with a gradient, the parameters that are left on average.

        Args:
            kept: Expected number of kept units of each group, (groups,); groups are
                independent.
        """
        sizes, dims, each = (
            torch.as_tensor(array).to(kept)
            for array in (self.sizes, self._dims, self._each)
        )
        dims = dims - torch.einsum("g,gtd->td", sizes - kept, each)
        return self._fixed + dims.prod(1).sum()


def allocate_units(
    groups: Sequence[Group],
    shapes: Shapes,
    pressure: float,
    floor: float = 0.0,
    multiple: int = MULTIPLE,
    scales: Sequence[float] | None = None,
    tied: Sequence[bool] | None = None,
) -> list[int]:
    """Return the number of units that each group keeps.

    All groups keep the same fraction of their units, or a power of it. Groups of one
    config dimension keep the same number.

    Args:
        groups: The prunable groups.
        shapes: Shapes of all parameters of the model.
        pressure: Target parameter sparsity of the model.
        floor: Smallest fraction of its units that each group keeps.
        multiple: Groups of more than 4 * multiple units keep a multiple of it.
        scales: For each group, the exponent of the fraction that it keeps; 1 by
            default.
        tied: For each group, whether it keeps exactly the same fraction as all other
            tied groups; the widest of these keeps an even number. None by default.

    Returns:
        Counts that leave (1 - pressure) of the parameters, within TOLERANCE of all and
        RELATIVE of the remaining ones.

    Raises:
        ConfigError: The floors do not allow the pressure.
    """
    target = round((1 - require_pressure(pressure)) * count(shapes))
    if target == count(shapes):
        return [group.size for group in groups]
    remaining = ParameterCounter(groups, shapes)
    classes = _Classes(groups, floor, multiple, scales, tied)
    tolerance = min(TOLERANCE * remaining.total, RELATIVE * target)
    require_reach(remaining, classes.counts(classes.least), pressure, floor)

    def error(kept: np.ndarray) -> int:
        return remaining(classes.counts(kept)) - target

    fraction = nearest_root(lambda x: error(classes.at(x)), 0.0, 1.0, HALVINGS)
    kept = classes.at(fraction)
    for steps in (classes.multiples, classes.steps):
        kept = _repair_rounding(kept, steps, classes, error, tolerance)
    return classes.counts(kept).tolist()


def require_reach(
    remaining: ParameterCounter, least: Sequence[int], pressure: float, floor: float
) -> None:
    """Raise a ConfigError if the least counts of all groups do not reach a pressure."""
    reach = 1 - remaining(least) / remaining.total
    if pressure > reach:
        most = math.floor(1000 * reach) / 1000
        raise ConfigError(
            f"pressure: {pressure} is out of reach of these units; with floor {floor} "
            f"at most {most} can be reached"
        )


def least_counts(sizes: Sequence[int], floor: float) -> list[int]:
    """Return the fewest units that each group keeps: max(⌈floor · size⌉, 1)."""
    return [max(math.ceil(floor * size - 1e-9), 1) for size in sizes]


class _Classes:
    """Classes of groups that keep the same number of units."""

    def __init__(
        self,
        groups: Sequence[Group],
        floor: float,
        multiple: int,
        scales: Sequence[float] | None,
        tied: Sequence[bool] | None,
    ):
        scales = [1.0] * len(groups) if scales is None else list(scales)
        tied = [False] * len(groups) if tied is None else list(tied)
        widest = max((g.size for g, is_tied in zip(groups, tied) if is_tied), default=0)
        keys = [
            (widest, scale, TIED) if is_tied else (group.size, scale, kind_of(group))
            for group, scale, is_tied in zip(groups, scales, tied, strict=True)
        ]
        indices = {key: index for index, key in enumerate(dict.fromkeys(keys))}
        self._of = np.array([indices[key] for key in keys], int)
        self.sizes = np.array([size for size, _, _ in indices], int)
        self._scales = np.array([scale for _, scale, _ in indices])
        self._parts = self.sizes[self._of] // [group.size for group in groups]
        tied_classes = np.array([kind == TIED for _, _, kind in indices])
        self.steps = np.where(tied_classes, math.lcm(2, *self._parts), 1)
        large = self.sizes > 4 * multiple
        self.multiples = np.where(large, np.lcm(multiple, self.steps), self.steps)
        least = np.array(least_counts(self.sizes, floor))
        self.least = np.minimum(self._rounded(least, np.ceil), self.sizes)

    def _rounded(self, sizes: np.ndarray, how: Callable) -> np.ndarray:
        return (how(sizes / self.multiples) * self.multiples).astype(int)

    def at(self, fraction: float) -> np.ndarray:
        """Return the units that each class keeps, (classes,), for a kept fraction."""
        counts = self._rounded(self.sizes * fraction**self._scales, np.round)
        return np.clip(counts, self.least, self.sizes)

    def counts(self, kept: np.ndarray) -> np.ndarray:
        """Return the units that each group keeps, (groups,)."""
        return kept[self._of] // self._parts


def kind_of(group: Group) -> frozenset:
    """Return the producers of a group's units, the same for every layer of a stack.

    A producer is the end of a parameter's name without layer numbers, and its
    dimension.
    """
    return frozenset(
        (re.sub(r"\d+", "#", ".".join(axis.parameter.split(".")[-2:])), axis.dim)
        for axis in group.axes
        if axis.dim != 1
    )


def _repair_rounding(
    kept: np.ndarray,
    steps: Mapping,
    classes: _Classes,
    error: Callable,
    tolerance: float,
) -> np.ndarray:
    """Change one class at a time, greedily, until the error is within the tolerance."""
    while abs(error(kept)) > tolerance:
        moves = [
            np.clip(kept + sign * step, classes.least, classes.sizes)
            for sign in (-1, 1)
            for step in np.diag(steps)
        ]
        best = min(moves, key=lambda move: abs(error(move)))
        if abs(error(best)) >= abs(error(kept)):
            break
        kept = best
    return kept
