"""Importance criteria: scores of units that were constructed to matter or not."""

import pytest
import torch
from torch import nn

from espnet_distill.errors import ConfigError
from espnet_distill.structure.groups import find_groups
from espnet_distill.structure.statistics.calibration import Calibration
from espnet_distill.structure.statistics.importance import (
    Random,
    Taylor,
    Wanda,
    magnitude,
)
from espnet_distill.structure.statistics.second_moments import (
    moments_of,
    second_moments,
)


@pytest.fixture
def model():
    """Eight units; 2 is large, 5 is never active, 6 has small readers."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(0.4, 0.6)
        model[0].weight[2] *= 5
        model[2].weight[:, 2] *= 5
        model[0].bias[5] = -100
        model[2].weight[:, 6] *= 1e-3
    return model


@pytest.fixture
def group(model):
    inputs = torch.rand(2, 4)
    group, *_ = find_groups(model, lambda model, _: [model(inputs)])
    assert group.size == 8
    return group


def calibration(model):
    generator = torch.Generator().manual_seed(0)
    batches = [torch.rand(5, 4, generator=generator) for _ in range(3)]
    return Calibration(batches, lambda batch: model(batch).square().sum())


def test_magnitude(model, group):
    scores = magnitude(group, model.state_dict())
    assert scores.shape == (8,) and scores.argmax() == 2


@pytest.mark.parametrize("kind", [Wanda, Taylor])
def test_inactive_and_unread_units_score_least(model, group, kind):
    scores = kind(model, calibration(model))(group, model.state_dict())
    assert scores.argmax() == 2
    assert scores[5] == 0 if kind is Wanda else scores[5] < scores[6] + 1e-6
    assert set(scores.topk(2, largest=False).indices.tolist()) <= {5, 6}


@pytest.mark.parametrize("kind", [Wanda, Taylor])
def test_criteria_restore_the_model(model, group, kind):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    kind(model, calibration(model))
    assert all(torch.equal(before[n], t) for n, t in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_activation_counts_every_batch(model, group):
    """Wanda is the root mean square over all batches."""
    recorded = []
    model[2].register_forward_pre_hook(lambda _, inputs: recorded.append(inputs[0]))
    scores = Wanda(model, calibration(model))(group, model.state_dict())
    power = torch.cat(recorded).square().mean(0)
    expected = (model[2].weight.square().sum(0) * power).detach()
    torch.testing.assert_close(scores, (expected / expected.mean()).sqrt())


def test_random_depends_on_its_seed(model, group):
    one, same, other = (Random(seed)(group, {}) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nonfinite_values_are_refused(model, group, value):
    """In weights, activations and gradients."""

    batches = [torch.rand(5, 4) for _ in range(3)]
    batches[1][0, 0] = value
    nonfinite = Calibration(batches, lambda batch: model(batch).square().sum())

    for measure in (
        lambda: Wanda(model, nonfinite)(group, model.state_dict()),
        lambda: Taylor(model, nonfinite)(group, model.state_dict()),
        lambda: second_moments(model, nonfinite),
        lambda: moments_of(model, nonfinite, [(group, torch.arange(4))]),
    ):
        with pytest.raises(ConfigError, match="NaN or infinity in [02].weight"):
            measure()
    with torch.no_grad():
        model[2].weight[0, 0] = value
    with pytest.raises(ConfigError, match="importance of the units: .* in 2.weight"):
        magnitude(group, model.state_dict())
