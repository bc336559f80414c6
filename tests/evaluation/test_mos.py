import librosa
import numpy as np
import pytest

pytest.importorskip("speechmos")

from espnet_distill.evaluation.metrics.mos import RATE, dnsmos


def test_noise_lowers_the_score_of_real_speech(kathleen):
    clean, _ = librosa.load(kathleen / "wavs" / "arctic_a0001.flac", sr=RATE)
    noise = 0.2 * np.random.default_rng(0).standard_normal(len(clean))
    assert 1 <= dnsmos(clean + noise) < dnsmos(clean) - 0.5 <= 4.5


def test_a_very_short_wave_and_one_out_of_range_have_a_score():
    assert 1 <= dnsmos(np.array([0.0, 0.5, -1.5, 0.2])) <= 5
