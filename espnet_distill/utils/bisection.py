"""Bisection of an interval, for functions that do not decrease."""

import math
from collections.abc import Callable


def arithmetic_mean(low: float, high: float) -> float:
    """Return the middle of two numbers."""
    return (low + high) / 2


def geometric_mean(low: float, high: float) -> float:
    """Return the middle of two positive numbers on a logarithmic scale."""
    return math.sqrt(low * high)


def bisect(
    is_below: Callable[[float], bool],
    low: float,
    high: float,
    steps: int,
    middle: Callable[[float, float], float] = arithmetic_mean,
) -> tuple[float, float]:
    """Return the interval that remains of [low, high] after halving it.

    Args:
        is_below: Returns True if a value is below the one that is searched.
        low: Lower end.
        high: Upper end.
        steps: Number of halvings.
        middle: Returns the value at which an interval is halved.
    """
    for _ in range(steps):
        value = middle(low, high)
        low, high = (value, high) if is_below(value) else (low, value)
    return low, high


def nearest_root(
    error: Callable[[float], float],
    low: float,
    high: float,
    steps: int,
    middle: Callable[[float, float], float] = arithmetic_mean,
) -> float:
    """Return the value of least absolute error, of ``high`` and of all that are halved.

    Args:
        error: Does not decrease; its values may jump over 0.
        low, high, steps, middle: As :func:`bisect` takes them.
    """
    errors = {high: abs(error(high))}

    def is_below(value: float) -> bool:
        difference = error(value)
        errors.setdefault(value, abs(difference))
        return difference < 0

    bisect(is_below, low, high, steps, middle)
    return min(errors, key=errors.get)
