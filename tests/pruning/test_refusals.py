"""Invalid options raise a ConfigError of one line before training."""

import pytest
import torch

from espnet_distill.errors import ConfigError
from espnet_distill.structure.groups import Axis, Group
from espnet_distill.training.callback import TrainingContext
from espnet_distill.training.registry import build_callback

from .models import TTS, Plain, groups_of

BASE = {"type": "prune", "pressure": 0.3, "end": 100}
GATES = {"criterion": "gates"}


def error_line(excinfo):
    message = str(excinfo.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    "keys, message",
    [
        ({"pressure": 1}, "pressure: 1 is not from 0 to below 1"),
        ({"pressure": -0.1}, "pressure: -0.1 is not from 0 to below 1"),
        ({"pressure": "half"}, "pressure: 'half' is not from 0 to below 1"),
        ({"pressure": None}, "pressure: missing; give the share"),
        ({"floor": 1.0}, "floor: 1.0 is not from 0 to below 1"),
        ({"presure": 0.3}, "no key 'presure'; near: pressure"),
        ({"type": "prun"}, "no callback 'prun'; there are bfloat16, prune"),
        (
            {"granularity": "structure"},
            "granularity: no 'structure'; there are structured, layers, unstructured",
        ),
        ({"criterion": "size"}, "criterion: no 'size'; there are magnitude, wanda,"),
        ({"criterion": ["wanda"]}, "criterion: no ['wanda']"),
        ({"scope": "all"}, "scope: no 'all'; there are layer, global"),
        ({"schedule": "square"}, "schedule: no 'square'"),
        ({"end": 0}, "end: 0 is no whole number"),
        ({"exclude": "tts.*"}, "exclude: expected a list"),
        ({"prune_also": ["head"]}, "prune_also: no 'head'; there are heads, residual"),
        ({"merge": "yes"}, "merge: 'yes' is neither true nor false"),
        (
            {"granularity": "unstructured", "merge": True},
            "merge: requires granularity: structured",
        ),
        (
            {"granularity": "layers", "prune_also": ["heads"]},
            "prune_also: requires granularity: structured",
        ),
        (
            GATES | {"granularity": "unstructured"},
            "criterion: gates requires granularity: structured",
        ),
        (GATES | {"schedule": "one_shot", "end": None}, "schedule: gates are trained"),
        (GATES | {"merge": True}, "merge: gates do not support it"),
        (
            GATES | {"prune_also": ["residual"]},
            "prune_also: gates do not support residual",
        ),
        (
            {"stock_compatible": "yes"},
            "stock_compatible: 'yes' is neither true nor false",
        ),
        (
            {"granularity": "layers", "stock_compatible": True},
            "stock_compatible: requires granularity: structured",
        ),
        (
            {"stock_compatible": True, "scope": "global"},
            "scope: stock layers have equal sizes",
        ),
        (
            {"stock_compatible": True, "prune_also": ["heads"]},
            "prune_also: stock heads span",
        ),
        ({"pattern": "2:4"}, "pattern: requires granularity: unstructured"),
        ({"granularity": "unstructured", "pattern": 124}, 'put it in quotes, "2:4"'),
        (
            {"granularity": "unstructured", "pattern": "4:2"},
            "pattern: '4:2' is not n:m",
        ),
        (
            {"granularity": "unstructured", "pattern": "2:4", "scope": "global"},
            "scope: has no effect with a pattern",
        ),
    ],
)
def test_invalid_options_without_a_model(keys, message):
    with pytest.raises(ConfigError) as excinfo:
        build_callback(BASE | keys, "callbacks[0]")
    assert error_line(excinfo).startswith("callbacks[0]: ")
    assert message in error_line(excinfo)


@pytest.mark.parametrize("conf", ["prune", {"pressure": 0.3}, None])
def test_callback_must_be_a_mapping_with_a_type(conf):
    with pytest.raises(ConfigError, match=r"callbacks\[1\]: expected {type: prune"):
        build_callback(conf, "callbacks[1]")


def attach(model, **keys):
    callback = build_callback(BASE | keys, "callbacks[0]")
    callback.find_groups = groups_of
    with pytest.raises(ConfigError) as excinfo:
        callback.attach(model)
    assert error_line(excinfo).startswith("callbacks[0]: ")
    return error_line(excinfo)


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("granularity", ["structured", "unstructured"])
def test_pressure_above_floors_reports_reachable_pressure(granularity, scope):
    model = TTS()
    options = {
        "granularity": granularity,
        "scope": scope,
        "floor": 0.5,
        "pressure": 0.7,
    }
    message = attach(model, **options)
    most = float(message.split("at most ")[1].split()[0])
    assert 0.1 < most < 0.5
    callback = build_callback(BASE | options | {"pressure": most})
    callback.find_groups = groups_of
    callback.attach(model)


def test_unreachable_pressure_of_layers_reports_nearest():
    model = TTS()
    message = attach(model, granularity="layers", pressure=0.17)
    near = message.split("the nearest are ")[1].split(" and ")
    for pressure in map(float, near):
        callback = build_callback(
            BASE | {"granularity": "layers", "pressure": pressure}
        )
        callback.attach(model)


@pytest.mark.parametrize("granularity", ["structured", "unstructured", "layers"])
def test_exclude_pattern_without_match(granularity):
    message = attach(TTS(), granularity=granularity, exclude=["tts.postnett.*"])
    assert "exclude: 'tts.postnett.*' names no parameter" in message
    message = attach(TTS(), granularity=granularity, exclude=["pitch_embed.0.weight"])
    assert "near: tts.pitch_embed.0.weight" in message


def test_n_m_pattern_that_does_not_divide_inputs():
    message = attach(Plain(), granularity="unstructured", pattern="2:5", pressure=None)
    assert "2:5 does not divide the input of inner.weight, outer.weight" in message


def test_n_m_pattern_contradicts_pressure():
    message = attach(Plain(), granularity="unstructured", pattern="2:4", pressure=0.8)
    assert "pressure: 2:4 removes 0.4" in message


def test_schedule_ends_after_the_training():
    for unit, whole in (("step", {"steps": 99}), ("epoch", {"epochs": 99})):
        model = Plain()
        options = {"granularity": "unstructured", "unit": unit}
        callback = build_callback(BASE | options, "callbacks[0]")
        callback.attach(model)
        with pytest.raises(ConfigError, match=f"end: {unit} 100 is after .* 99"):
            callback.on_train_start(TrainingContext(model, **whole))
        callback.on_train_start(TrainingContext(model))


def test_structured_without_groups():
    callback = build_callback(BASE)
    with pytest.raises(
        ConfigError, match="granularity: structured requires find_groups"
    ):
        callback.attach(Plain())


def test_layers_without_a_stack():
    assert "granularity: no stack of residual layers" in attach(
        Plain(), granularity="layers"
    )


def test_gates_of_recurrent_inputs():
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.LSTMCell(8, 4))
    axes = [("0.weight", 0), ("0.bias", 0), ("1.weight_ih", 1)]
    places = torch.arange(8)[None]
    group = Group(8, tuple(Axis(*axis, places) for axis in axes))
    callback = build_callback(BASE | GATES, "callbacks[0]")
    callback.find_groups = lambda model: [group]
    with pytest.raises(ConfigError) as excinfo:
        callback.attach(model)
    message = error_line(excinfo)
    assert "gates cannot multiply the units of 0.weight; add to exclude" in message
