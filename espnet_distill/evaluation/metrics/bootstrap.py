"""How sure a difference between two systems is."""

from dataclasses import astuple, dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Difference:
    """A difference and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def __format__(self, form: str) -> str:
        value, low, high = (format(end, form) for end in astuple(self))
        return f"{value} [{low}, {high}]".replace("-", "−")


def paired_difference(one, other, weights=None) -> Difference:
    """Difference of two means over the same sentences, by a paired bootstrap.

    Sentences are drawn with replacement, both systems' together (Bisani and Ney,
    ICASSP 2004); the ends are the 2.5 and 97.5 percentiles of 9,999 draws.

    Args:
        one, other: A value a sentence each, (sentences,).
        weights: What the sum of the values is divided by, (sentences,), for instance
            the words that errors were counted in (default: 1 each).
    """
    difference = np.asarray(one, float) - np.asarray(other, float)
    weights = np.ones_like(difference) if weights is None else np.asarray(weights)
    mean = difference.sum() / weights.sum()
    if len(difference) < 2 or not np.ptp(difference / np.maximum(weights, 1)):
        return Difference(mean, mean, mean)
    found = stats.bootstrap(
        (difference, weights),
        lambda values, by, axis=-1: values.sum(axis) / by.sum(axis),
        paired=True,
        vectorized=True,
        method="percentile",
        batch=100,
        rng=0,
    )
    return Difference(mean, *map(float, found.confidence_interval))
