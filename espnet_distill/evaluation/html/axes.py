"""Scales, ticks and plot areas of charts."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.ticker import LogLocator, MaxNLocator


@dataclass(frozen=True)
class Scale:
    """Maps values from [low, high] to [start, end] in the chart's units."""

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
        """Return (position, label) pairs at round values."""
        if self.log:
            values = _log_ticks(self.low, self.high, number)
        else:
            values = MaxNLocator(number, steps=[1, 2, 5, 10]).tick_values(
                self.low, self.high
            )
        margin = 1e-9 * (self.high - self.low)
        return [
            (self(value), form(value))
            for value in values
            if self.low - margin <= value <= self.high + margin
        ]


def _log_ticks(low: float, high: float, number: int) -> Sequence[float]:
    """Return at most ``number`` round values on a logarithmic axis."""
    for steps in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        values = LogLocator(subs=steps, numticks=100).tick_values(low, high)
        inside = [value for value in values if low <= value <= high]
        if len(inside) <= number:
            break
    if len(inside) > 1:
        return inside
    return MaxNLocator(number, steps=[1, 2, 5, 10]).tick_values(low, high)


def scale(
    values: Sequence[float], start: float, end: float, log: bool = False, room=0.08
) -> Scale:
    """Return a scale of all values, plus ``room`` times their range at each end."""
    low, high = min(values), max(values)
    if log:
        margin = (high / low) ** room if high > low else 1.5
        return Scale(low / margin, high * margin, start, end, log=True)
    margin = room * (high - low) if high > low else abs(high) / 10 or 1.0
    return Scale(low - margin, high + margin, start, end)


@dataclass(frozen=True)
class Box:
    """Plot area of a chart of ``width`` × ``height``; the other fields are margins."""

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
    """Format a number with four significant digits."""
    return f"{value:.4g}".replace("-", "−")


def short(value: float) -> str:
    """Format a number with three significant digits and k, M or G."""
    for unit, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= unit:
            return f"{value / unit:.3g}{letter}"
    return plain(value)
