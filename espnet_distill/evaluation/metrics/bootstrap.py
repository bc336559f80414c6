"""Compute confidence intervals of differences by paired bootstrap."""

from dataclasses import astuple, dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Difference:
    """A difference and the bounds of its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def __format__(self, form: str) -> str:
        value, low, high = (format(end, form) for end in astuple(self))
        return f"{value} [{low}, {high}]".replace("-", "−")


def paired_difference(one, other, weights=None) -> Difference:
    """Return the difference of two means over the same sentences, by paired bootstrap.

    Sentences are resampled with replacement, jointly for both systems (Bisani and Ney,
    ICASSP 2004); the bounds are the 2.5 and 97.5 percentiles of 9,999 resamples.

    Args:
        one, other: One value a sentence, (sentences,); of a single sentence the
            interval is empty, which says nothing about others.
        weights: Denominators, (sentences,), for instance reference words if the values
            are error counts (default: 1 each). A resample without any has one a sentence.
    """
    difference = np.asarray(one, float) - np.asarray(other, float)
    weights = np.ones_like(difference) if weights is None else np.asarray(weights)
    mean = difference.sum() / weights.sum()
    if len(difference) < 2 or not np.ptp(difference / np.maximum(weights, 1)):
        return Difference(mean, mean, mean)
    result = stats.bootstrap(
        (difference, weights),
        _weighted_mean,
        paired=True,
        vectorized=True,
        method="percentile",
        batch=100,
        rng=0,
    )
    return Difference(mean, *map(float, result.confidence_interval))


def _weighted_mean(values: np.ndarray, weights: np.ndarray, axis: int = -1):
    totals = weights.sum(axis)
    return values.sum(axis) / np.where(totals, totals, weights.shape[axis])
