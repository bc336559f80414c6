"""Where values lie in a chart: scales, their round values, and the box of the data."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.ticker import LogLocator, MaxNLocator


@dataclass(frozen=True)
class Scale:
    """Values on a line of the chart, from ``start`` to ``end`` in its units."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (
            map(math.log, (self.low, self.high, value))
            if self.log
            else (self.low, self.high, value)
        )
        return round(
            self.start + (value - low) / (high - low) * (self.end - self.start), 1
        )

    def ticks(self, number: int, form: Callable[[float], str]) -> list[tuple]:
        """Return (position, label) of round values."""
        if self.log:
            found = _log_ticks(self.low, self.high, number)
        else:
            found = MaxNLocator(number, steps=[1, 2, 5, 10]).tick_values(
                self.low, self.high
            )
        margin = 1e-9 * (self.high - self.low)
        return [
            (self(value), form(value))
            for value in found
            if self.low - margin <= value <= self.high + margin
        ]


def _log_ticks(low: float, high: float, number: int) -> Sequence[float]:
    """Round values on a logarithmic axis, as many as there is room for."""
    for steps in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        found = LogLocator(subs=steps, numticks=100).tick_values(low, high)
        inside = [value for value in found if low <= value <= high]
        if len(inside) <= number:
            break
    if len(inside) > 1:
        return inside
    return MaxNLocator(number, steps=[1, 2, 5, 10]).tick_values(low, high)


def scale(
    values: Sequence[float], start: float, end: float, log: bool = False, room=0.08
) -> Scale:
    """A scale that has all values, with a share of its length to spare at each end."""
    low, high = min(values), max(values)
    if log:
        spare = (high / low) ** room if high > low else 1.5
        return Scale(low / spare, high * spare, start, end, log=True)
    spare = room * (high - low) if high > low else abs(high) / 10 or 1.0
    return Scale(low - spare, high + spare, start, end)


@dataclass(frozen=True)
class Box:
    """Where the data of a chart are, in a view of ``width`` × ``height``."""

    width: int
    height: int
    left: int = 50
    right: int = 12
    top: int = 12
    bottom: int = 40

    @property
    def x_ends(self) -> tuple[int, int]:
        return self.left, self.width - self.right

    @property
    def y_ends(self) -> tuple[int, int]:
        return self.height - self.bottom, self.top


def plain(value: float) -> str:
    """A number of four digits."""
    return f"{value:.4g}".replace("-", "−")


def short(value: float) -> str:
    """A number of any size in a few letters."""
    for unit, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= unit:
            return f"{value / unit:.3g}{letter}"
    return plain(value)
