"""Padding is that of Piper's clients, and no frame is lost when it is removed."""

import pytest
import torch

from espnet_distill.errors import ConfigError
from espnet_distill.teachers.piper_padding import PiperPadding

TOKENS = ["_", "^", "$", "<space>", "a", "b", "<unk>"]


def test_ids_are_those_of_pipers_clients():
    from piper.phoneme_ids import phonemes_to_ids

    table = {token: [id] for id, token in enumerate(TOKENS)} | {" ": [3]}
    padding = PiperPadding.of_tokens(TOKENS, "x")
    expected = phonemes_to_ids(["b", " ", "a"], table)
    assert padding.pad([5, 3, 4]) == expected == [1, 0, 5, 0, 3, 0, 4, 0, 2]


def test_attention_without_padding():
    padding = PiperPadding.of_tokens(TOKENS, "x")
    durations = torch.tensor([1, 2, 10, 3, 20, 4, 7])  # ^ _ p _ p _ $
    attention = torch.repeat_interleave(torch.eye(7), durations, dim=0)
    assert padding.sum_attention(attention).sum(0).tolist() == [16, 24, 7]


def test_a_list_without_padding_is_refused():
    with pytest.raises(ConfigError, match="x: token_list: has no '_'"):
        PiperPadding.of_tokens(["^", "$"], "x")
