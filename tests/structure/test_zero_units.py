"""Zero units and layers, and the sparsity of a model."""

import pytest
import torch
from torch import nn

from espnet_distill.structure.groups import Axis, Group
from espnet_distill.structure.zero_units import (
    find_zero_layers,
    find_zero_units,
    measure_sparsity,
)

PLACES = torch.arange(6)[None]


def model_of(norm):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), norm, nn.Linear(6, 3))


def group_of(model):
    axes = [Axis(f"{place}.{kind}", 0, PLACES) for place in (0, 1) for kind in KINDS]
    names = model.state_dict()
    axes = [axis for axis in axes if axis.parameter in names]
    return Group(6, (*axes, Axis("2.weight", 1, PLACES)))


KINDS = ("weight", "bias", "running_mean", "running_var")


def set_to_zero(model, names, unit, dim=0):
    with torch.no_grad():
        for name in names:
            model.get_parameter(name).select(dim, unit).zero_()


@pytest.mark.parametrize(
    "norm, parameters",
    [
        (nn.ReLU(), ["0.weight", "0.bias"]),
        (nn.BatchNorm1d(6), ["0.weight", "0.bias", "1.weight", "1.bias"]),
        (nn.LayerNorm(6), ["0.weight", "0.bias", "1.weight", "1.bias"]),
    ],
)
def test_unit_with_zero_producers(norm, parameters):
    model = model_of(norm)
    group = group_of(model)
    nn.init.ones_(model[0].bias)
    for module in model[1:2]:
        if hasattr(module, "bias"):
            nn.init.ones_(module.bias)
    assert not find_zero_units(group, model).any()
    for name in parameters:
        assert not find_zero_units(group, model).any()
        set_to_zero(model, [name], 2)
    assert find_zero_units(group, model).nonzero().flatten().tolist() == [2]


def test_unit_with_zero_readers():
    for norm, is_zero in ((nn.BatchNorm1d(6), True), (nn.LayerNorm(6), False)):
        model = model_of(norm)
        set_to_zero(model, ["2.weight"], 4, dim=1)
        assert find_zero_units(group_of(model), model)[4] == is_zero


def test_gated_unit():
    model = nn.Sequential(nn.Linear(4, 6), nn.GLU(), nn.Linear(3, 2))
    places = torch.arange(6).view(2, 3)
    producers = [Axis(f"0.{kind}", 0, places) for kind in ("weight", "bias")]
    group = Group(3, (*producers, Axis("2.weight", 1, torch.arange(3)[None])))
    set_to_zero(model, ["0.weight", "0.bias"], 1)
    assert not find_zero_units(group, model).any()
    set_to_zero(model, ["0.weight", "0.bias"], 4)
    assert find_zero_units(group, model).tolist() == [False, True, False]


def test_layers_with_zero_branches():
    from espnet2.tts.fastspeech2 import FastSpeech2

    from ..conftest import CONFORMER

    model = FastSpeech2(idim=9, odim=4, **CONFORMER | {"dlayers": 2})
    layer = model.decoder.encoders[1]
    ends = [layer.feed_forward.w_2, layer.feed_forward_macaron.w_2]
    ends += [layer.self_attn.linear_out, layer.conv_module.pointwise_conv2]
    for end in ends:
        assert find_zero_layers(model) == {}
        nn.init.zeros_(end.weight)
        nn.init.zeros_(end.bias)
    assert find_zero_layers(model) == {"decoder.encoders": [1]}


def test_sparsity_excludes_the_embedding_of_padding():
    model = nn.ModuleList([nn.Embedding(3, 4, padding_idx=0), nn.Linear(4, 2)])
    assert measure_sparsity(model) == 0
    model[1].weight.data[0] = 0
    assert measure_sparsity(model) == pytest.approx(4 / 16)
