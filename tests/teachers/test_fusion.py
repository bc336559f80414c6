"""Shares of several teachers in each utterance."""

import math

import pytest
import torch

from espnet_distill.errors import ConfigError
from espnet_distill.objectives.base import Taps
from espnet_distill.teachers.fusion import require_fusion, teacher_weights

LENGTHS = torch.tensor([4, 2])


def teachers(*errors):
    """Teachers whose mel is off by errors[k][b] everywhere; padding is not a number."""
    truth = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    truth[1, 2:] = math.nan
    taps = [Taps({"mel_after": truth + torch.tensor(e)[:, None, None]}) for e in errors]
    return taps, truth


def test_mean_weighs_teachers_equally():
    taps, truth = teachers((0.1, 0.2), (3.0, 0.0))
    weights = teacher_weights("mean", taps, truth, LENGTHS)
    assert torch.equal(weights, torch.full((2, 2), 0.5))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_confidence_follows_the_error_of_each_utterance(temperature):
    taps, truth = teachers((0.1, 0.9), (0.6, 0.2), (1.1, 0.4))
    weights = teacher_weights("confidence", taps, truth, LENGTHS, temperature)
    scores = torch.exp(
        -torch.tensor([[0.1, 0.9], [0.6, 0.2], [1.1, 0.4]]) / temperature
    )
    torch.testing.assert_close(weights, scores / scores.sum(0))


def test_low_temperature_selects_one_teacher_and_high_temperature_all():
    taps, truth = teachers((0.1, 0.9), (0.6, 0.2))
    cold = teacher_weights("confidence", taps, truth, LENGTHS, 1e-3)
    hot = teacher_weights("confidence", taps, truth, LENGTHS, 1e4)
    torch.testing.assert_close(cold, torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    torch.testing.assert_close(hot, torch.full((2, 2), 0.5), atol=1e-4, rtol=0)


def test_unknown_fusion_is_refused():
    with pytest.raises(
        ConfigError, match="conf: no fusion 'max'; there are mean, conf"
    ):
        require_fusion("max", "conf")
