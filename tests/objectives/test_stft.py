"""Waveforms compared through their spectra."""

import math

import pytest
import torch

from espnet_distill.errors import ConfigError
from espnet_distill.objectives.base import Taps
from espnet_distill.objectives.registry import build_objective


def distance(output, target, **options):
    objective = build_objective({"type": "stft", "sizes": [64, 256], **options})
    return objective(Taps({"waveform": output}), Taps({"waveform": target}))


@pytest.fixture
def wave():
    return 0.1 * torch.randn(2, 2048, generator=torch.Generator().manual_seed(0))


def test_only_the_complex_term_depends_on_the_phase(wave):
    assert distance(wave, wave) == 0
    magnitudes = distance(wave, -wave, complex=0.0)
    assert magnitudes == 0
    alone = {"log_magnitude": 0.0, "convergence": 0.0}
    assert distance(wave, -wave, **alone) == pytest.approx(2)
    assert distance(torch.zeros_like(wave), wave, **alone) == pytest.approx(1)


def test_a_tenth_as_loud_is_ln_10_away(wave):
    alone = {"complex": 0.0, "convergence": 0.0}
    found = distance(0.1 * wave, wave, **alone)
    assert found == pytest.approx(math.log(10), rel=1e-3)


def test_silence_has_a_gradient_that_is_a_number(wave):
    silence = torch.zeros_like(wave).requires_grad_()
    distance(silence, wave).backward()
    assert silence.grad.isfinite().all() and silence.grad.abs().sum() > 0


@pytest.mark.parametrize("sizes", [[], [255], [2.5], ["256"], [0]])
def test_sizes_that_cannot_be_are_refused(sizes):
    with pytest.raises(ConfigError, match="stft.sizes: expected multiples of 4"):
        build_objective({"type": "stft", "sizes": sizes})
