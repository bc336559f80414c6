"""DNSMOS and DistillMOS, whose packages have their weights."""

import librosa
import numpy as np
import pytest

pytest.importorskip("speechmos")

from espnet_distill.evaluation.metrics.mos import RATE, distillmos, dnsmos


@pytest.fixture
def clean(kathleen):
    return librosa.load(kathleen / "wavs" / "arctic_a0001.flac", sr=RATE)[0]


@pytest.fixture
def noisy(clean):
    noise = 0.2 * np.random.default_rng(0).standard_normal(len(clean))
    return clean + noise.astype(np.float32)


@pytest.mark.parametrize("name", ["dnsmos", "dnsmos_p808"])
def test_noise_lowers_the_score_of_real_speech(clean, noisy, name):
    assert 1 <= dnsmos(noisy)[name] < dnsmos(clean)[name] - 0.5 <= 4.5


def test_a_very_short_wave_and_one_out_of_range_have_a_score():
    scores = dnsmos(np.array([0.0, 0.5, -1.5, 0.2]))
    assert set(scores) == {"dnsmos", "dnsmos_p808"}
    assert all(1 <= score <= 5 for score in scores.values())


def test_the_scores_are_those_of_the_package(clean):
    from speechmos import dnsmos as package

    clip = np.resize(clean, int(9.01 * RATE))
    scores, expected = dnsmos(clip), package.run(clip, RATE)
    assert scores["dnsmos"] == pytest.approx(expected["ovrl_mos"])
    assert scores["dnsmos_p808"] == pytest.approx(expected["p808_mos"])


def test_distillmos(clean, noisy, capsys):
    package = pytest.importorskip("distillmos")
    import torch

    assert 1 <= distillmos(noisy) < distillmos(clean) - 0.5 <= 4.5
    assert 1 <= distillmos(np.zeros(4, np.float32)) <= 5
    assert capsys.readouterr().out == ""
    with torch.inference_mode():
        expected = package.ConvTransformerSQAModel().eval()(
            torch.from_numpy(clean)[None]
        )
    assert distillmos(clean) == pytest.approx(expected.item())
