"""Phonemes as single code points, equal to those of ESPnet's front end for VITS."""

import unicodedata
from pathlib import Path

import pytest

from espnet_distill.errors import ConfigError
from espnet_distill.voice.normalization import normalize
from espnet_distill.voice.phonemes import SPACE, phonemize

pytest.importorskip("phonemizer")
pytest.importorskip("espeakng_loader")
PROMPTS = Path(__file__).parents[2] / "egs/hibari/tts1/local/prompts.txt"


@pytest.fixture(scope="module")
def espnet():
    from espnet2.text.phoneme_tokenizer import PhonemeTokenizer

    from espnet_distill.voice.espeak import provide_espeak

    provide_espeak()
    return PhonemeTokenizer("espeak_ng_english_us_vits").text2tokens


def test_200_prompts_have_the_tokens_of_espnet(espnet):
    lines = PROMPTS.read_text(encoding="utf-8").splitlines()[:200]
    prompts = [line.split(maxsplit=1)[1] for line in lines]
    assert [phonemize(text) for text in prompts] == list(map(espnet, prompts))


def test_normalized_text_has_the_tokens_of_espnet(espnet):
    texts = (
        "$5.20 in 1999. Then it ends.",
        'Dr. Smith said: "it is 5:30 p.m.", etc.',
        "sick once -- typhoid (or so)… maybe; no?!",
    )
    for text in texts:
        words = normalize(text, "en")
        assert phonemize(words) == espnet(words)


def test_espnet_loses_text_after_a_decimal_number_that_normalization_keeps(espnet):
    text = "$5.20 in 1999."
    assert "".join(espnet(text)).endswith("fˈaɪv.")
    kept = "".join(espnet(normalize(text, "en")))
    assert kept.endswith("nˈaɪntinˈaɪn.") and "sˈɛnts" in kept
    assert "".join(phonemize(text)).endswith("nˈaɪn.")  # without normalization, too


@pytest.mark.parametrize(
    "voice, text, ipa",
    [
        ("en-us", "It is us.", "ɪɾ ɪz ˌʌs."),
        ("de", "Schöne Mädchen, das Download-Meeting!",
         "ʃˈøːnə mˈɛːdçən, das dˈaʊnləʊdmˈeːtɪŋ!"),
        ("fr-fr", "Ça va?", "sa vˈa?"),
        ("pt-br", "não", "nˈɐ̃ʊ̃"),
        ("uk", "Привіт", "prɪβˈiːt̪"),
        ("hi", "नमस्ते।", "nəmˈʌsteː."),
    ],
)  # fmt: skip
def test_any_voice_makes_single_decomposed_code_points(voice, text, ipa):
    tokens = phonemize(text, voice)
    assert all(token == SPACE or len(token) == 1 for token in tokens)
    assert "".join(tokens).replace(SPACE, " ") == unicodedata.normalize("NFD", ipa)


def test_numbers_and_abbreviations_end_no_clause_inside():
    assert "".join(phonemize("5.20 x")).count(".") == 0
    assert "." not in phonemize("v1.2.3 is")


def test_text_without_words_has_no_tokens():
    assert phonemize("...") == phonemize("") == []


def test_voices_change_between_calls():
    german = phonemize("Schule", "de")
    assert phonemize("Schule", "en-us") != german == phonemize("Schule", "de")


def test_an_unknown_voice_is_refused_with_near_names():
    with pytest.raises(ConfigError, match="voice 'de-de': espeak-ng has no such") as no:
        phonemize("Haus", "de-de")
    assert "near: " in str(no.value)


def test_a_clause_that_would_be_lost_is_refused(monkeypatch):
    from espnet_distill.voice.espeak import Espeak

    monkeypatch.setattr(Espeak, "text_to_phonemes", lambda *_: "")
    with pytest.raises(ConfigError, match="'Haus': espeak-ng's de has no phonemes"):
        phonemize("Haus", "de")


def test_a_nul_is_a_space():
    """espeak-ng's text ends at one."""
    assert phonemize("one\0two") == phonemize("one two")
