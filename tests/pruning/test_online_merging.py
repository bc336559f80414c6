"""Merging linearly dependent units leaves the output unchanged."""

import pytest
import torch

from espnet_distill.structure.groups import find_groups
from espnet_distill.training.registry import build_callback

from .models import train


class Doubled(torch.nn.Module):
    """Half of the hidden units are multiples of the other half."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.inner = torch.nn.Linear(12, 16)
        self.outer = torch.nn.Linear(16, 8)
        with torch.no_grad():
            for parameter in (self.inner.weight, self.inner.bias):
                parameter[8:] = 0.3 * parameter[:8]

    def forward(self, seed):
        x = torch.randn(400, 12, generator=torch.Generator().manual_seed(seed))
        return self.outer(torch.relu(self.inner(x))).square().mean()


@pytest.mark.parametrize("merge", [True, False])
def test_linearly_dependent_units_are_merged_without_error(merge):
    model = Doubled()
    before = model(100).item()
    callback = build_callback(
        {"type": "prune", "pressure": 0.48, "schedule": "linear", "end": 9}
        | {"interval": 3, "merge": merge, "exclude": ["outer.bias"]}
    )
    callback.find_groups = lambda model: find_groups(model, lambda m, _: [m(0)])
    callback.attach(model)
    train(model, callback, 12, torch.optim.SGD(model.parameters(), 0.0))
    assert (model.inner.weight == 0).all(1).sum() == 8
    assert not model.outer._forward_pre_hooks
    same = model(100).item() == pytest.approx(before, rel=1e-3)
    assert same == merge
