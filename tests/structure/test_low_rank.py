"""Low-rank factorization: errors and weights at each rank."""

import pytest
import torch
from torch import nn

from espnet_distill.structure.low_rank import factorize
from espnet_distill.structure.statistics.calibration import Calibration
from espnet_distill.structure.statistics.second_moments import second_moments

INPUTS, OUTPUTS = 12, 10
LAYERS = {
    "linear": lambda: nn.Linear(INPUTS, OUTPUTS),
    "pointwise": lambda: nn.Conv1d(INPUTS, OUTPUTS, 1),
    "taps": lambda: nn.Conv1d(INPUTS, OUTPUTS, 3, padding=1),
    "image": lambda: nn.Conv2d(INPUTS, OUTPUTS, (1, 3)),
}


@pytest.fixture(params=LAYERS)
def layer(request):
    torch.manual_seed(0)
    return LAYERS[request.param]()


def inputs(layer, seed=1):
    """Inputs of unequal power, linearly dependent; channel 3 is zero."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(INPUTS, INPUTS, generator=torch.Generator().manual_seed(9))
    mixing *= torch.logspace(0, -2, INPUTS)
    mixing[3] = 0
    x = torch.randn(2, 50, INPUTS, generator=generator) @ mixing.T
    if isinstance(layer, nn.Linear):
        return x
    return x.mT if isinstance(layer, nn.Conv1d) else x.mT[:, :, None]


def moments_of(layer):
    model = nn.Sequential(layer)
    twice = Calibration([inputs(layer)] * 2, model)
    (moments,) = second_moments(model, twice).values()
    return moments


def change(layer, weight):
    """Relative error of the outputs with another weight, without the bias."""
    x = inputs(layer)
    with torch.no_grad():
        whole = layer(x)
        layer.weight.copy_(weight)
        changed = layer(x)
        layer.weight.zero_()
        return ((changed - whole).norm() / (whole - layer(x)).norm()).item()


@pytest.mark.parametrize("rank", [1, 2, 4, 7, 10])
def test_whitened_is_no_worse_than_plain_on_the_calibration_data(layer, rank):
    factors = factorize(layer.weight, moments_of(layer), rank=rank)
    assert factors.error <= factors.plain_error * (1 + 1e-4) + 1e-6
    if 1 < rank < 7:
        assert factors.error < 0.9 * factors.plain_error


def test_errors_are_those_of_the_outputs():
    layer = nn.Linear(INPUTS, OUTPUTS)
    weight = layer.weight.detach().clone()
    factors = factorize(weight, moments_of(layer), rank=3)
    plain = factorize(weight, rank=3).bake()
    assert change(layer, factors.bake()) == pytest.approx(factors.error, rel=1e-3)
    layer.weight.data.copy_(weight)
    assert change(layer, plain) == pytest.approx(factors.plain_error, rel=1e-3)


def test_an_error_is_kept_by_the_least_rank(layer):
    moments = moments_of(layer)
    factors = factorize(layer.weight, moments, error=0.1)
    rank = factors.first.size(0)
    assert factors.error <= 0.1 * (1 + 1e-4)
    assert factorize(layer.weight, moments, rank=rank - 1).error > 0.1


def test_two_layers_do_what_the_baked_one_does():
    for taps in (1, 3):
        layer = nn.Conv1d(INPUTS, OUTPUTS, taps, padding=taps // 2)
        factors = factorize(layer.weight, moments_of(layer), rank=4)
        assert factors.parameters == 4 * (INPUTS + OUTPUTS * taps)
        x = inputs(layer)
        two = nn.functional.conv1d(x, factors.first)
        two = nn.functional.conv1d(two, factors.second, layer.bias, padding=taps // 2)
        layer.weight.data.copy_(factors.bake())
        torch.testing.assert_close(two, layer(x), atol=1e-5, rtol=1e-4)


def test_a_weight_of_that_rank_is_exact(layer):
    low = torch.randn(OUTPUTS, 2) @ torch.randn(2, INPUTS)
    weight = low.view(OUTPUTS, INPUTS, *(1,) * (layer.weight.dim() - 2))
    weight = weight.expand_as(layer.weight).contiguous()
    factors = factorize(weight, moments_of(layer), rank=2)
    torch.testing.assert_close(factors.bake(), weight, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "options",
    [{}, {"rank": 2, "error": 0.1}, {"rank": 0}, {"rank": 11}, {"error": 1.0}],
)
def test_invalid_ranks_and_errors_are_refused(options):
    with pytest.raises(ValueError, match="^factorize: .*(rank|error)"):
        factorize(torch.rand(OUTPUTS, INPUTS), **options)
