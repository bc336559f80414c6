"""Fixtures of the pruning tests."""

import pytest


@pytest.fixture(autouse=True)
def short_sentence(monkeypatch):
    """Measure speed on half a second: no test here asserts it."""
    from espnet_distill.profiling import dummy_input as cost

    monkeypatch.setattr(cost, "TOKENS", 6)
