"""Objectives as YAML names them, and what is refused."""

import math

import pytest

from espnet_distill.errors import ConfigError
from espnet_distill.objectives.registry import OBJECTIVES, build_objective


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_name_builds_its_class_with_its_weight(name):
    conf = {"type": name, "weight": 2}
    by_tap = name in ("hidden", "relation")
    if by_tap:
        conf["tap"] = "encoder.encoders.1"
    objective = build_objective(conf)
    assert type(objective) is OBJECTIVES[name]
    assert objective.weight == 2.0
    assert objective.label == (f"{name}_encoder_encoders_1" if by_tap else name)


def test_a_weight_is_1_unless_given_and_the_configuration_is_left_as_it_was():
    conf = {"type": "mel"}
    assert build_objective(conf).weight == 1.0
    assert conf == {"type": "mel"}


@pytest.mark.parametrize(
    "conf, words",
    [
        (
            {"type": "melody"},
            "no objective 'melody'; there are " + ", ".join(OBJECTIVES),
        ),
        ({"type": "mel", "wieght": 1}, "mel has no key 'wieght'; near: weight"),
        ({"type": "hidden"}, "hidden needs the key 'tap'"),
        ({"type": "mel", "weight": -0.5}, "mel.weight: expected a finite number"),
        ({"type": "mel", "weight": math.nan}, "mel.weight: expected a finite number"),
        ({"type": "mel", "weight": math.inf}, "mel.weight: expected a finite number"),
        ({"type": "mel", "weight": "1"}, "mel.weight: expected a finite number"),
        ({"type": "mel", "weight": True}, "mel.weight: expected a finite number"),
        (
            {"type": "mel", "temperature": 0},
            "mel.temperature: expected a finite number",
        ),
        (
            {"type": "duration", "temperature": math.nan},
            "duration.temperature: expected",
        ),
        ({"type": "hidden", "tap": "x", "temperature": 2}, "hidden has no key 'temper"),
        ({"weight": 1}, "expected {type: …, weight: …}, got {'weight': 1}"),
        ("mel", "expected {type: …, weight: …}, got 'mel'"),
    ],
)
def test_what_cannot_work_is_one_line_that_starts_with_its_place(conf, words):
    with pytest.raises(ConfigError) as caught:
        build_objective(conf, "distill_conf.objectives[3]")
    message = str(caught.value)
    assert message.startswith(f"distill_conf.objectives[3]: {words}")
    assert "\n" not in message
