"""Moonshine, the recognizer whose package has its weights."""

import librosa
import numpy as np
import pytest

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics import asr_moonshine, recognizers
from espnet_distill.evaluation.metrics.wer import error_rate, word_errors


def test_other_languages_are_refused():
    with pytest.raises(
        ConfigError, match="^--asr-model: moonshine .* the text is de; "
    ):
        recognizers.find("moonshine", "de", "--asr-model")


def test_the_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(asr_moonshine, "find_spec", lambda name: None)
    message = (
        "^--second-asr-model: moonshine is not installed; pip install moonshine-cpp"
    )
    with pytest.raises(ConfigError, match=message):
        recognizers.find("moonshine", "en", "--second-asr-model")


@pytest.fixture(scope="module")
def transcribe():
    pytest.importorskip("moonshine_cpp")
    model = recognizers.find("moonshine", "en", "--asr-model")
    assert "Moonshine base" in model.description and model.key
    return model.load()


def test_wer_of_real_speech(transcribe, kathleen):
    pytest.importorskip("jiwer")
    pytest.importorskip("whisper_normalizer")
    lines = (kathleen / "metadata.csv").read_text(encoding="utf-8").splitlines()[:3]
    counts = []
    for utt, text, _ in (line.split("|") for line in lines):
        wave, _ = librosa.load(kathleen / "wavs" / f"{utt}.flac", sr=16000)
        counts.append(word_errors(text, transcribe(wave)))
    assert sum(count.total for count in counts) > 15
    assert error_rate(counts) < 30


@pytest.mark.parametrize("samples", [0, 10, 900, 16001])
def test_short_and_silent_waves_are_transcribed(transcribe, samples):
    assert isinstance(transcribe(np.zeros(samples, np.float32)), str)
