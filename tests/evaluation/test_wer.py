import pytest

pytest.importorskip("jiwer")
pytest.importorskip("whisper_normalizer")

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics.wer import (
    Errors,
    character_errors,
    error_rate,
    require_readings,
    word_errors,
)


@pytest.mark.parametrize("errors", [word_errors, character_errors])
def test_spelling_numbers_and_punctuation_are_no_errors(errors):
    text = "Mr. Brown's colour cost twenty-five dollars, didn't it?"
    hypothesis = "mister brown's color cost $25 did not it"
    assert errors(text, hypothesis).errors == 0


def test_a_known_mistranscription():
    reference, hypothesis = "The cat sat on the mat.", "the hat sat on mat today"
    # cat → hat, -the, +today
    assert word_errors(reference, hypothesis) == Errors(3, total=6)
    reference, hypothesis = "The cat sat.", "the chat sad"
    assert character_errors(reference, hypothesis) == Errors(2, total=11)  # +h, t → d


def test_empty_transcript_is_100_percent_wrong():
    assert word_errors("some words", "") == Errors(2, 2)
    assert character_errors("some words", "") == Errors(10, 10)


def test_error_rate_is_weighted_by_words():
    assert error_rate([Errors(1, 1), Errors(0, 9)]) == 10.0


def test_without_words_there_is_no_rate():
    assert error_rate([Errors(1, 0), Errors(0, 0)]) is None


def test_other_languages_keep_umlauts_and_lose_case_and_punctuation():
    text = "Schöne Mädchen, süß!"
    assert word_errors(text, "schöne mädchen süß", "de") == Errors(0, 3)
    assert word_errors(text, "schone madchen süß", "de") == Errors(2, 3)


def test_unspaced_languages_have_character_errors_only():
    reference, hypothesis = "今天，下雨。", "今天 晴天"
    assert word_errors(reference, hypothesis, "zh") is None
    assert character_errors(reference, hypothesis, "zh") == Errors(2, 4)


def test_japanese_spellings_of_one_reading_are_no_errors():
    pytest.importorskip("pyopenjtalk")
    text = "十二番の時計は、三千円です。"
    assert word_errors(text, text, "ja") is None
    assert character_errors(text, "12番のとけいは3000円です", "ja").errors == 0
    wrong = character_errors(text, "十二番の時計は、四千円です。", "ja")
    assert wrong == Errors(2, 19)  # サンゼン → ヨンセン


def test_readings_without_their_package_are_refused(monkeypatch):
    package = "espnet_distill.experiments.text_frontend.find_spec"
    monkeypatch.setattr(package, lambda name: None)
    require_readings("de")
    with pytest.raises(ConfigError, match=r"pip install 'espnet_distill\[ja\]'"):
        require_readings("ja")
