"""Silent units are those whose removal cannot be heard, and no others."""

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


def silence(model, names, unit, dim=0):
    with torch.no_grad():
        for name in names:
            model.get_parameter(name).select(dim, unit).zero_()


@pytest.mark.parametrize(
    "norm, made",
    [
        (nn.ReLU(), ["0.weight", "0.bias"]),
        (nn.BatchNorm1d(6), ["0.weight", "0.bias", "1.weight", "1.bias"]),
        (nn.LayerNorm(6), ["0.weight", "0.bias", "1.weight", "1.bias"]),
    ],
)
def test_all_that_makes_a_unit(norm, made):
    model = model_of(norm)
    group = group_of(model)
    nn.init.ones_(model[0].bias)
    for module in model[1:2]:
        if hasattr(module, "bias"):
            nn.init.ones_(module.bias)
    assert not find_zero_units(group, model).any()
    for name in made:
        assert not find_zero_units(group, model).any()
        silence(model, [name], 2)
    assert find_zero_units(group, model).nonzero().flatten().tolist() == [2]


def test_nobody_reads_a_unit():
    for norm, is_silent in ((nn.BatchNorm1d(6), True), (nn.LayerNorm(6), False)):
        model = model_of(norm)
        silence(model, ["2.weight"], 4, dim=1)
        assert find_zero_units(group_of(model), model)[4] == is_silent


def test_a_unit_that_lies_in_two_places():
    model = nn.Sequential(nn.Linear(4, 6), nn.GLU(), nn.Linear(3, 2))
    places = torch.arange(6).view(2, 3)
    made = [Axis(f"0.{kind}", 0, places) for kind in ("weight", "bias")]
    group = Group(3, (*made, Axis("2.weight", 1, torch.arange(3)[None])))
    silence(model, ["0.weight", "0.bias"], 1)
    assert not find_zero_units(group, model).any()
    silence(model, ["0.weight", "0.bias"], 4)
    assert find_zero_units(group, model).tolist() == [False, True, False]


def test_layers_whose_branches_write_nothing():
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


def test_the_embedding_of_padding_is_no_zero():
    model = nn.ModuleList([nn.Embedding(3, 4, padding_idx=0), nn.Linear(4, 2)])
    assert measure_sparsity(model) == 0
    model[1].weight.data[0] = 0
    assert measure_sparsity(model) == pytest.approx(4 / 16)
