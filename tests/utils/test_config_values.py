"""Values of wrong types are refused in one line."""

import math

import pytest

from espnet_distill.errors import ConfigError
from espnet_distill.utils.config_values import (
    as_list,
    as_mapping,
    as_number,
    as_text,
    as_whole,
    one_of,
    require_known,
    require_values,
)


def refusal(check, *arguments):
    with pytest.raises(ConfigError) as caught:
        check(*arguments)
    (line,) = caught.value.faults
    return line


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, None, "1", [1]])
def test_invalid_numbers_are_refused(value):
    assert refusal(as_number, value, "k") == f"k: expected a number, got {value!r}"
    assert refusal(as_whole, value, "k") == f"k: expected a whole number, got {value!r}"


def test_numbers():
    assert as_number(0.5, "k") == 0.5 and as_number(10**400, "k") == 10**400
    assert as_whole(3.0, "k") == 3 and type(as_whole(3.0, "k")) is int
    assert refusal(as_whole, 0.5, "k").startswith("k: expected a whole number, got")
    assert refusal(as_whole, 0, "k", 1).endswith("a whole number of at least 1, got 0")
    assert refusal(as_number, -1, "k", 0).endswith("a number of at least 0, got -1")


def test_text_lists_and_mappings():
    assert refusal(as_text, "", "k") == "k: expected text, got ''"
    assert refusal(as_mapping, [], "k") == "k: expected keys and values, got []"
    assert refusal(as_mapping, {7: 1}, "k") == "k: the key 7 is no text; quote it"
    assert refusal(as_list, "a", "k") == "k: expected a list, got 'a'"
    assert refusal(as_list, ["a", 7], "k", as_text) == "k[1]: expected text, got 7"
    assert as_list(("a",), "k", as_text) == ["a"]


def test_names():
    assert refusal(one_of, [1], ("mel", "f0"), "k") == "k: no [1]; there are mel, f0"
    assert refusal(one_of, "mels", ("mel",), "k") == "k: no 'mels'; near: mel"
    require_known(["mel"], ("mel",), "k: ")
    assert refusal(require_known, [7], ("mel",), "k: ") == "k: no key 7; there are mel"


def test_each_value_is_named():
    kinds = {"a": as_number, "b": as_text, "c": as_text}
    with pytest.raises(ConfigError) as caught:
        require_values({"a": "x", "b": 7, "c": None}, kinds, "f.yaml: ")
    assert caught.value.faults == [
        "f.yaml: a: expected a number, got 'x'",
        "f.yaml: b: expected text, got 7",
    ]
    assert "c: expected text, got None" in refusal(
        require_values, {"c": None}, kinds, "", False
    )


def test_a_long_value_is_not_quoted_in_full():
    line = refusal(as_number, "x" * 1000, "k")
    assert len(line) < 100 and line.endswith("…")
