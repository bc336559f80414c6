"""Padding is that of Piper's clients, and no frame is lost when it is removed."""

import pytest
import torch

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.teachers.piper_padding import PiperPadding
from espnet_distill.teachers.text_to_wave import synthesize

TOKENS = ["_", "^", "$", "<space>", "a", "b", "<unk>"]


def test_ids_are_those_of_pipers_clients():
    from piper.phoneme_ids import phonemes_to_ids

    table = {token: [id] for id, token in enumerate(TOKENS)} | {" ": [3]}
    padding = PiperPadding.of_tokens(TOKENS, "x")
    expected = phonemes_to_ids(["b", " ", "a"], table)
    assert padding.pad([5, 3, 4]) == expected == [1, 0, 5, 0, 3, 0, 4, 0, 2]


def test_durations_without_padding():
    padding = PiperPadding.of_tokens(TOKENS, "x")
    durations = torch.tensor([1, 2, 10, 3, 20, 4, 7])  # ^ _ p _ p _ $
    assert padding.sum_durations(durations).tolist() == [16, 24, 7]
    for count in (3, 6):
        with pytest.raises(ValueError, match="durations are not those"):
            padding.sum_durations(torch.ones(count))


def test_a_list_without_padding_is_refused():
    with pytest.raises(ConfigError, match="x: token_list: has no '_'"):
        PiperPadding.of_tokens(["^", "$"], "x")


def test_an_imported_voice_has_it(piper_experiment, teacher):
    padding = PiperPadding.of(piper_experiment)
    assert padding == PiperPadding(1, 0, 2)
    assert PiperPadding.of(Experiment(teacher)) is None
    made = synthesize(piper_experiment.model, torch.tensor(padding.pad([4, 5])))
    assert int(padding.sum_durations(made.durations).sum()) == len(made.latents)
