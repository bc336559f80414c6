import numpy as np
import pytest
import soundfile

from .conftest import RATE, speechlike

pytest.importorskip("pysptk")

from espnet_distill.evaluation.metrics.f0 import contour, contour_errors
from espnet_distill.evaluation.metrics.fidelity import Recording
from espnet_distill.evaluation.metrics.mcd import distortion, mel_cepstrum


@pytest.fixture
def write(tmp_path):
    def write(name, wave, rate=RATE):
        soundfile.write(tmp_path / name, wave, rate, "FLOAT")
        return tmp_path / name

    return write


def test_a_file_against_itself_is_zero(write):
    wav = write("a.wav", speechlike(0))
    assert Recording(wav).mcd(wav) == 0.0
    assert Recording(wav).f0_errors(wav) == (0.0, 0.0)


def test_distortion_grows_with_noise(write):
    wave = speechlike(0)
    noise = np.random.default_rng(1).standard_normal(len(wave))
    noisy = [write(f"{n}.wav", wave + n * noise) for n in (0.01, 0.05, 0.2)]
    found = [*map(Recording(write("clean.wav", wave)).mcd, noisy)]
    assert 0 < found[0] < found[1] < found[2]


def test_gain_changes_only_the_energy_coefficient():
    wave = speechlike(0)
    quiet, loud = mel_cepstrum(wave / 2, RATE), mel_cepstrum(wave, RATE)
    np.testing.assert_allclose((loud - quiet)[:, 0], np.log(2), atol=1e-3)
    np.testing.assert_allclose((loud - quiet)[:, 1:], 0, atol=1e-3)
    aligned = 10 / np.log(10) * np.sqrt(2) * np.log(2)
    assert distortion(quiet, loud) <= aligned + 1e-3


def test_repeated_frames_cost_nothing():
    frames = np.random.default_rng(0).standard_normal((20, 24))
    assert distortion(frames, np.repeat(frames, 3, axis=0)) == 0


def test_one_pair_of_frames_by_hand():
    a, b = np.zeros((1, 2)), np.array([[3.0, 4.0]])
    assert distortion(a, b) == pytest.approx(10 / np.log(10) * np.sqrt(2 * 25))


def test_the_sampling_rates_may_differ(write):
    import librosa

    wave = speechlike(0)
    triple = librosa.resample(wave, orig_sr=RATE, target_sr=48000)
    recording = Recording(write("48k.wav", triple, 48000))
    same, other = write("a.wav", wave), write("b.wav", speechlike(5))
    assert recording.mcd(same) < 3 < 6 < recording.mcd(other)
    assert recording.f0_errors(same)[0] < 0.02 < recording.f0_errors(other)[0]


def tone(hertz, seconds=0.5):
    time = np.arange(int(seconds * RATE)) / RATE
    return 0.1 * sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 20))


def test_log_f0_rmse_of_a_shifted_tone():
    low, high = contour(tone(120), RATE), contour(tone(180), RATE)
    rmse, _ = contour_errors(low, high)
    assert rmse == pytest.approx(np.log(1.5), abs=0.02)


def test_voicing_error_of_silence():
    voiced = contour(np.concatenate([tone(120), tone(120)]), RATE)
    unvoiced = (np.zeros_like(voiced[0]), voiced[1])
    rmse, error = contour_errors(voiced, unvoiced)
    assert np.isnan(rmse) and error == pytest.approx(100 * np.mean(voiced[0] > 0))
    assert error > 80
