"""Untrusted YAML: plain data within limits of size and depth."""

import pytest
import yaml

from espnet_distill.utils import limited_yaml
from espnet_distill.utils.limited_yaml import load_limited

MERGED = """
base: &base {adim: 8, list: [1, 2.5, null, yes]}
one: {<<: *base, adim: 16}
two: [*base, *base]
date: 2020-01-01
"""


def test_plain_data_is_what_safe_load_gives():
    assert load_limited(MERGED) == yaml.safe_load(MERGED)
    assert load_limited("") is None


@pytest.mark.parametrize("text", ["!!python/object/apply:os.getcwd []", "a: !x 1"])
def test_tags_are_refused(text):
    with pytest.raises(yaml.YAMLError, match="could not determine a constructor"):
        load_limited(text)


@pytest.mark.parametrize("text", ["a: 1\nb: 2\na: 3", "x: {a: 1, 'a': 1}"])
def test_a_key_given_twice_is_refused(text):
    with pytest.raises(yaml.YAMLError, match="key 'a' is given twice"):
        load_limited(text)


def test_aliases_count_with_their_expanded_size(monkeypatch):
    text = "a: &a [1, 2, 3]\nb: [*a, *a]\n"  # 1 + 2 + 4 + 1 + 2 * 4
    monkeypatch.setattr(limited_yaml, "MAX_NODES", 16)
    assert load_limited(text)["b"] == [[1, 2, 3]] * 2
    monkeypatch.setattr(limited_yaml, "MAX_NODES", 15)
    with pytest.raises(yaml.YAMLError, match="more than 15 values"):
        load_limited(text)


def test_a_hundred_levels_are_read():
    assert load_limited("[" * 100 + "]" * 100)
    with pytest.raises(yaml.YAMLError, match="more than 100 levels"):
        load_limited("[" * 101 + "]" * 101)


def test_a_long_text_is_refused_before_it_is_parsed(monkeypatch):
    monkeypatch.setattr(limited_yaml, "MAX_BYTES", 3)
    with pytest.raises(yaml.YAMLError, match="4 characters, more than 3"):
        load_limited("[1]\n")
