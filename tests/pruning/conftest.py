"""What the tests of pruning share."""

import pytest


@pytest.fixture(autouse=True)
def short_sentence(monkeypatch):
    """Speeds, which no test here asserts, are measured on half a second."""
    from espnet_distill.profiling import dummy_input as cost

    monkeypatch.setattr(cost, "TOKENS", 6)
