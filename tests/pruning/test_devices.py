"""Callbacks prune a model on a pretend GPU, and resume there."""

import pytest

from espnet_distill.pruning.criteria.registry import CRITERIA
from espnet_distill.training.registry import build_callback

from ..pretend_cuda import pretend_cuda
from .models import TTS, groups_of, train

PRUNE = {"type": "prune", "pressure": 0.3, "start": 1, "end": 3, "interval": 1}
CASES = [
    *(
        {"granularity": granularity, "criterion": name}
        for granularity in ("structured", "unstructured")
        for name in CRITERIA
    ),
    {"granularity": "layers", "criterion": "taylor", "pressure": 0.213},
    {
        "granularity": "unstructured",
        "pattern": "2:4",
        "pressure": None,
        "exclude": ["*_embed.*"],
    },
    {"granularity": "unstructured", "scope": "global", "floor": 0.1},
    {"granularity": "structured", "scope": "global", "prune_also": ["heads"]},
    {
        "granularity": "structured",
        "prune_also": ["residual", "heads"],
        "criterion": "taylor",
    },
    {"granularity": "structured", "prune_also": ["residual"], "stock_compatible": True},
    {"granularity": "structured", "merge": True},
    {"granularity": "structured", "criterion": "gates"},
]


@pytest.fixture
def gpu(monkeypatch):
    with pretend_cuda(monkeypatch) as labels:
        yield labels


def build(case, model):
    conf = {key: value for key, value in (PRUNE | case).items() if value is not None}
    callback = build_callback(conf)
    callback.find_groups = groups_of
    callback.attach(model)
    return callback


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_callback_prunes_and_resumes(gpu, case):
    model = TTS().to("cuda")
    callback = build(case, model)
    train(model, callback, 3, epoch_of=3)
    assert callback.is_final and callback.statistics()["sparsity"] > 0.05
    again = build(case, model)
    again.load_state_dict(callback.state_dict())
    train(model, again, 4, first=4)
    assert again.statistics() == callback.statistics()
    assert all(parameter in gpu for parameter in model.parameters())
