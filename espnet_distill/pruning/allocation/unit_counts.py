"""How many units of each group stay, so that the whole model loses its share."""

import math
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from espnet_distill.errors import ConfigError
from espnet_distill.structure.config_dims import MOST_DIMS, Shapes, count
from espnet_distill.structure.groups import Group

TOLERANCE = 0.01  # of the model's parameters


RELATIVE = 0.02  # of those that are to stay


MULTIPLE = 8  # widths are multiples of it, as kernels like them


BISECTIONS = 40


TIED = "tied"


def require_pressure(value, where: str = "pressure") -> float:
    """Return a number from 0 to below 1, or raise a ConfigError that says `where`."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value < 1:
        raise ConfigError(f"{where}: {value!r} is not from 0 to below 1")
    return float(value)


class ParameterCounter:
    """The parameters that a model has left without some units, exactly."""

    def __init__(self, groups: Sequence[Group], shapes: Shapes):
        """Read where the units of groups lie in parameters of these shapes.

        Buffers count nothing, nor does what ``shapes`` does not name.
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
        self._rest = self.total - round(self._dims.prod(axis=1).sum())

    def __call__(self, kept: Sequence[int]) -> int:
        """Count the parameters of the model with so many units of each group."""
        gone = self.sizes - np.asarray(kept)
        dims = self._dims - np.tensordot(gone, self._each, 1)
        return self._rest + round(dims.prod(axis=1).sum())

    def expected(self, kept: torch.Tensor) -> torch.Tensor:
        """Count, with a gradient, the parameters that are left on average.

        Args:
            kept: How many units of each group stay on average, (groups,), where those
                of different groups stay or go independently.
        """
        sizes, dims, each = (
            torch.as_tensor(array).to(kept)
            for array in (self.sizes, self._dims, self._each)
        )
        dims = dims - torch.einsum("g,gtd->td", sizes - kept, each)
        return self._rest + dims.prod(1).sum()


def allocate_units(
    groups: Sequence[Group],
    shapes: Shapes,
    pressure: float,
    floor: float = 0.0,
    multiple: int = MULTIPLE,
    scales: Sequence[float] | None = None,
    tied: Sequence[bool] | None = None,
) -> list[int]:
    """Return how many units each group keeps.

    All groups keep the same share of their units, or a power of it; groups that are
    alike keep equally many, as one size in a configuration says.

    Args:
        groups: Those that may lose units.
        shapes: Of the model's parameters, all of them.
        pressure: Share of the model's parameters to be gone.
        floor: Share of its units that each group keeps at least.
        multiple: Of what a group of more than four times as many units keeps.
        scales: For each group, an exponent of the share that it keeps; 1 unless said.
        tied: For each group, whether it keeps exactly the share that the others do of
            which that is said, the widest of them an even number; none unless said.

    Returns:
        Counts that leave (1 - pressure) of the parameters, within 1 % of them all and
        2 % of those that stay.

    Raises:
        ConfigError: A pressure that the floors forbid.
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

    kept = _bisect(lambda share: classes.at(share), error)
    for steps in (classes.multiples, classes.steps):
        kept = _repair_rounding(kept, steps, classes, error, tolerance)
    return classes.counts(kept).tolist()


def require_reach(
    remaining: ParameterCounter, least: Sequence[int], pressure: float, floor: float
) -> None:
    """Raise a ConfigError if more is to be gone than with the least of each group."""
    reach = 1 - remaining(least) / remaining.total
    if pressure > reach:
        most = math.floor(1000 * reach) / 1000
        raise ConfigError(
            f"pressure: {pressure} is more than these units can give; with floor "
            f"{floor} at most {most} can be reached"
        )


def least_counts(sizes: Sequence[int], floor: float) -> list[int]:
    """Return how many of so many units each stay at least: the floor's, and one."""
    return [max(math.ceil(floor * size - 1e-9), 1) for size in sizes]


class _Classes:
    """Groups that keep equally many units, as one number each."""

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
        widest = max((g.size for g, joint in zip(groups, tied) if joint), default=0)
        keys = [
            (widest, scale, TIED) if joint else (group.size, scale, kind_of(group))
            for group, scale, joint in zip(groups, scales, tied, strict=True)
        ]
        known = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        self._of = np.array([known[key] for key in keys], int)
        self.sizes = np.array([size for size, _, _ in known], int)
        self._scales = np.array([scale for _, scale, _ in known])
        self._parts = self.sizes[self._of] // [group.size for group in groups]
        is_tied = np.array([kind == TIED for _, _, kind in known])
        self.steps = np.where(is_tied, math.lcm(2, *self._parts), 1)
        large = self.sizes > 4 * multiple
        self.multiples = np.where(large, np.lcm(multiple, self.steps), self.steps)
        least = np.array(least_counts(self.sizes, floor))
        self.least = np.minimum(self._rounded(least, np.ceil), self.sizes)

    def _rounded(self, sizes: np.ndarray, how: Callable) -> np.ndarray:
        return (how(sizes / self.multiples) * self.multiples).astype(int)

    def at(self, share: float) -> np.ndarray:
        """What each class keeps if all keep this share."""
        wanted = self._rounded(self.sizes * share**self._scales, np.round)
        return np.clip(wanted, self.least, self.sizes)

    def counts(self, kept: np.ndarray) -> np.ndarray:
        """What each group keeps."""
        return kept[self._of] // self._parts


def kind_of(group: Group) -> frozenset:
    """What a group's units are made by, alike in every layer of a model.

    The ends of the names of what makes them, without the numbers of the layers.
    """
    return frozenset(
        (re.sub(r"\d+", "#", ".".join(axis.parameter.split(".")[-2:])), axis.dim)
        for axis in group.axes
        if axis.dim != 1
    )


def _bisect(at: Callable, error: Callable) -> np.ndarray:
    """The sizes at that share which comes nearest to no error."""
    low, high = 0.0, 1.0
    best = at(high)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        kept = at(middle)
        if abs(error(kept)) < abs(error(best)):
            best = kept
        low, high = (middle, high) if error(kept) < 0 else (low, middle)
    return best


def _repair_rounding(
    kept: np.ndarray,
    steps: Mapping,
    classes: _Classes,
    error: Callable,
    tolerance: float,
) -> np.ndarray:
    """Take the one step that helps most, again and again, until it is near enough."""
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
