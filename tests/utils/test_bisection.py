"""Bisection of intervals."""

import math

import pytest

from espnet_distill.utils.bisection import bisect, geometric_mean, nearest_root


@pytest.mark.parametrize("root", [0.1, 0.5, 0.875])
def test_the_interval_contains_the_root_and_is_halved(root):
    low, high = bisect(lambda x: x < root, 0.0, 1.0, 10)
    assert low <= root <= high and high - low == 2**-10


def test_halving_on_a_logarithmic_scale():
    low, high = bisect(lambda x: x < 0.03, 1e-4, 1.0, 20, geometric_mean)
    assert low <= 0.03 <= high
    assert math.log(high / low) == pytest.approx(math.log(1e4) / 2**20)


def test_the_nearest_root_of_a_step_function():
    def error(x):
        return round(10 * x) - 4.4

    root = nearest_root(error, 0.0, 1.0, 30)
    assert round(10 * root) == 4


def test_the_upper_end_is_a_candidate():
    assert nearest_root(lambda x: x - 2, 0.0, 1.0, 5) == 1.0
