import numpy as np
import pytest

from espnet_distill.evaluation.metrics.bootstrap import Difference, paired_difference


def test_constant_difference_has_an_empty_interval():
    assert paired_difference([3, 4, 5], [1, 2, 3]) == Difference(2, 2, 2)


def test_weights_are_reference_words():
    found = paired_difference([100, 0], [0, 0], [10, 30])
    assert found.value == 2.5 and (found.low, found.high) == (0, 10)


def test_sentences_without_words():
    found = paired_difference([0, 100], [100, 50], [0, 2])
    assert (found.value, found.low, found.high) == (-25, -100, 25)


def test_interval_coverage_is_95_percent():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(60):
        sentence = rng.normal(size=100)  # common to both: paired drawing removes it
        one, other = (sentence + rng.normal(m, 0.3, 100) for m in (0.1, 0.0))
        found = paired_difference(one, other)
        assert found.high - found.low < 0.25
        held += found.low <= 0.1 <= found.high
    assert held == pytest.approx(57, abs=4)
