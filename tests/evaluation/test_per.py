"""Phoneme errors by hama, and the language that they require."""

import librosa
import numpy as np
import pytest

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics import per
from espnet_distill.evaluation.metrics.registry import fit_language


def test_other_languages_are_left_out_or_refused(capsys):
    assert fit_language(("per", "mcd"), "en", True) == ("per", "mcd")
    assert fit_language(("per", "mcd"), "de", False) == ("mcd",)
    message = "skipped: per is for texts in en, this one is in de\n"
    assert capsys.readouterr().err == message
    with pytest.raises(
        ConfigError, match="^--metrics: per is .* unknown language; lea"
    ):
        fit_language(["per"], None, True)


@pytest.fixture
def letters(monkeypatch):
    """A G2P whose phonemes are letters."""
    pytest.importorskip("rapidfuzz")
    monkeypatch.setattr(per, "_pronounce", tuple)


def test_errors_are_counted_against_the_words(letters):
    assert per.phoneme_errors("A cat!", list("acat")) == per.Errors(0, 4)
    assert per.phoneme_errors("A cat", list("abatt")) == per.Errors(2, 4)
    assert per.phoneme_errors("Cat", []) == per.Errors(3, 3)


def test_numbers_and_marks_are_no_phonemes(letters):
    phonemes = list("mistero'neilhastwentyfivecats")
    assert per.phoneme_errors("Mr. O’Neil has 25 – cats", phonemes).errors == 0


def test_long_waves_are_recognized_in_parts(monkeypatch):
    parts = []

    class Recognizer:
        def transcribe_waveform(self, wave, rate):
            parts.append(len(wave) / rate)
            return type("Result", (), {"phonemes": ["a"]})

    monkeypatch.setattr(per, "_recognizer", Recognizer)
    assert per.recognize_phonemes(np.zeros(60 * 16000)) == 3 * ["a"]
    assert parts == [20, 20, 20]
    assert per.recognize_phonemes(np.zeros(25 * 16000)) == ["a"]
    assert per.recognize_phonemes(np.zeros(0)) == ["a"]


def test_per_of_real_speech(kathleen):
    pytest.importorskip("hama")
    lines = (kathleen / "metadata.csv").read_text(encoding="utf-8").splitlines()[:3]
    clean, noisy = [], []
    for utt, text, _ in (line.split("|") for line in lines):
        wave, _ = librosa.load(kathleen / "wavs" / f"{utt}.flac", sr=16000)
        noise = 0.3 * np.random.default_rng(0).standard_normal(len(wave))
        for counts, one in ((clean, wave), (noisy, (wave + noise).astype("float32"))):
            counts.append(per.phoneme_errors(text, per.recognize_phonemes(one)))
    rates = [
        sum(one.errors for one in counts) / sum(one.total for one in counts)
        for counts in (clean, noisy)
    ]
    assert rates[0] < 0.3 and rates[1] > rates[0] + 0.1
