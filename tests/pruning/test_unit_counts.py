"""Allocations reach the parameter count with representable sizes."""

import functools

import pytest
import torch

from espnet_distill.errors import ConfigError
from espnet_distill.pruning.allocation.unit_counts import (
    ParameterCounter,
    allocate_units,
    kind_of,
)
from espnet_distill.structure.config_dims import shapes_of
from espnet_distill.structure.groups import Axis, Group, find_groups
from espnet_distill.structure.slicing import slice_groups
from espnet_distill.students.find_groups import outputs_of

from ..conftest import CONFORMER, FASTSPEECH2

SIZES = {"adim": 16, "elayers": 2, "eunits": 96, "dunits": 64, "postnet_layers": 4}
SIZES |= {"postnet_chans": 48, "duration_predictor_layers": 2}
SIZES |= {f"{kind}_predictor_chans": 48 for kind in ("duration", "pitch", "energy")}
MODELS = {"transformer": FASTSPEECH2 | SIZES, "conformer": CONFORMER | SIZES}


@functools.cache
def parts(name):
    from espnet2.tts.fastspeech2 import FastSpeech2

    model = FastSpeech2(30, 20, **MODELS[name])
    groups = find_groups(model, outputs_of(model))
    free = [g for g in groups if not any("attn" in a.parameter for a in g.axes)]
    return model, [group for group in free if group.size > 1]


@pytest.fixture(params=MODELS)
def model(request):
    return parts(request.param)


def sliced_size(model, groups, counts):
    """Parameters of the model that slicing leaves, buffers not counted."""
    kept = [(group, torch.arange(n)) for group, n in zip(groups, counts)]
    state = slice_groups(model.state_dict(), kept)
    return sum(state[name].numel() for name, _ in model.named_parameters())


def test_counter_equals_sliced_model(model):
    model, groups = model
    remaining = ParameterCounter(groups, shapes_of(model))
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        counts = [
            int(torch.randint(1, group.size + 1, (), generator=generator))
            for group in groups
        ]
        assert remaining(counts) == sliced_size(model, groups, counts)


@pytest.mark.parametrize("pressure", [0.0, 0.02, 0.1, 0.3, 0.5, 0.6])
def test_pressure_is_reached(model, pressure):
    model, groups = model
    total = sum(parameter.numel() for parameter in model.parameters())
    counts = allocate_units(groups, shapes_of(model), pressure)
    sparsity = 1 - sliced_size(model, groups, counts) / total
    assert sparsity == pytest.approx(pressure, abs=0.01)


def test_groups_of_one_config_dim_keep_the_same_number(model):
    model, groups = model
    counts = allocate_units(groups, shapes_of(model), 0.4)
    config_dims = ("encoder.encoders", "decoder.encoders", "duration_", "postnet.")
    for config_dim in config_dims:
        own = [
            count
            for group, count in zip(groups, counts)
            for axis in group.axes[:1]
            if axis.parameter.startswith(config_dim)
            and "conv_module" not in axis.parameter
        ]
        assert len(set(own)) == 1, config_dim


def test_large_groups_keep_multiples(model):
    model, groups = model
    counts = allocate_units(groups, shapes_of(model), 0.5)
    odd = {kind_of(g) for g, n in zip(groups, counts) if g.size > 32 and n % 8}
    assert len(odd) <= 1


def test_a_scale_makes_a_group_shrink_more():
    model, groups = parts("transformer")
    decoder = [a.axes[0].parameter.startswith("decoder") for a in groups]
    scales = [3.0 if own else 1.0 for own in decoder]
    share = {}
    for name, scaled in (("plain", None), ("scaled", scales)):
        counts = allocate_units(groups, shapes_of(model), 0.4, scales=scaled)
        share[name] = [n / g.size for n, g in zip(counts, groups)]
        sparsity = 1 - sliced_size(model, groups, counts) / sum(
            parameter.numel() for parameter in model.parameters()
        )
        assert sparsity == pytest.approx(0.4, abs=0.01)
    for own, plain, scaled in zip(decoder, share["plain"], share["scaled"]):
        assert scaled < plain if own else scaled >= plain


def test_floors_hold_and_error_reports_reachable_pressure(model):
    model, groups = model
    shapes = shapes_of(model)
    counts = allocate_units(groups, shapes, 0.3, floor=0.25)
    assert all(n >= g.size * 0.25 for n, g in zip(counts, groups))
    with pytest.raises(ConfigError, match=r"at most 0\.\d+ can be reached") as refusal:
        allocate_units(groups, shapes, 0.9, floor=0.5)
    most = float(str(refusal.value).split("at most ")[1].split()[0])
    assert allocate_units(groups, shapes, most, floor=0.5)
    with pytest.raises(ConfigError, match="can be reached"):
        allocate_units(groups, shapes, most + 0.02, floor=0.5)


@pytest.mark.parametrize("pressure", [-0.1, 1, 1.5, "much", True, float("nan")])
def test_pressure_out_of_range_is_refused(pressure):
    with pytest.raises(ConfigError, match="is not from 0 to below 1"):
        allocate_units([], {}, pressure)


def test_a_flattened_axis_counts_its_places():
    places = torch.arange(6)[None]
    group = Group(6, (Axis("bias", None, places), Axis("weight", 0, places)))
    remaining = ParameterCounter(
        [group], {"bias": (2, 3), "weight": (6, 5), "other": (7,)}
    )
    assert remaining([4]) == 4 + 4 * 5 + 7
