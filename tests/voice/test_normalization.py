"""Numbers, abbreviations and punctuation of text, with the case kept."""

import pytest

from espnet_distill.errors import ConfigError
from espnet_distill.voice.languages import NUMBER_WORDS
from espnet_distill.voice.normalization import normalize
from espnet_distill.voice.punctuation import simplify_punctuation

TEXTS = [
    ("en", "$5.20 in 1999.", "five dollars twenty cents in nineteen ninety-nine."),
    ("en", "$1.5 million, £3", "one point five million dollars, three pounds sterling"),
    ("en", "1,234 men, 10% & 3.14!", "one thousand two hundred and thirty-four men, "
     "ten percent and three point one four!"),
    ("en", "Dr. Smith isn't at 5:30 p.m.", "Doctor Smith isn't at five thirty PM."),
    ("en", "Philip Steels, etc.", "Philip Steels, et cetera."),
    ("en", "the 1990s, the 21st", "the nineteen nineties, the twenty-first"),
    ("en", "the ’90s, her 20s", "the nineties, her twenties"),
    ("en", "No. 5, fig. 2. No. It", "Number five, figure two. No. It"),
    ("en", "Jan. 5, a Ph.D. by Jan. Lee", "January five, a PhD by Jan. Lee"),
    ("pt", "O Sr. Silva.", "O Senhor Silva."),
    ("fr", "M. Dupont et J. M. Petit", "Monsieur Dupont et J. M. Petit"),
    ("de", "Abb. 3, S.5", "Abbildung drei, Seite fünf"),
    ("en", "007 or -5", "zero zero seven or minus five"),
    ("en", "-5%, −5.5 % (-$5) or -5 €", "minus five percent, minus five point five "
     "percent minus five dollars or minus five euro"),
    ("en", "US$5, -A$1.5 million, 5-$6", "US five dollars, minus A one point five "
     "million dollars, five-six dollars"),
    ("en", "MP3 v1.2.3 1/2 x2", "MP3 v1.2.3 1/2 x2"),
    ("en-us", "IT is it, the U.S. and us", "IT is it, the US and us"),
    ("de", "Am 3. Mai 1999 um 5:30 Uhr", "Am dritten Mai "
     "neunzehnhundertneunundneunzig um fünf dreißig Uhr"),
    ("de", "Vom 1. bis zum 3. März, der 1. und 2. Mai", "Vom ersten bis zum dritten "
     "März, der erste und zweite Mai"),
    ("de", "am 5.-7. März und 3. April", "am fünften-siebten März und dritten April"),
    ("de", "z.B. 1.000 Mädchen, 12,5 %", "zum Beispiel eintausend Mädchen, zwölf "
     "Komma fünf Prozent"),
    ("de", "5,20 € oder $5.20", "fünf Euro zwanzig Cent oder fünf Dollar zwanzig Cent"),
    ("fr", "12 000 et 12,5 % !", "douze mille et douze virgule cinq pour cent!"),
    ("it", "3,5", "tre virgola cinque"),
    ("tr", "3,5 ve 5%", "üç virgül beş ve yüzde beş"),
    ("tr", "-5 derece", "eksi beş derece"),
    ("tr", "-5%", "eksi yüzde beş"),
    ("de", "–5 °C, -5 %", "minus fünf °C, minus fünf Prozent"),
    ("pt", "R$ 5,20 e $5", "R$ cinco vírgula dois zero e cinco dólares"),
    ("pl", "Temperatura wynosi -5 stopni.", "Temperatura wynosi minus pięć stopni."),
    ("es", "¿Cuánto? ¡100 €!", "Cuánto? cien euros!"),
    ("ru", "Привет, 5 €", "Привет, пять евро"),
    ("hi", "5 नमस्ते।", "5 नमस्ते."),
    ("ja", "「こんにちは」、5人。", "「こんにちは」、5人。"),
    ("zh", "你好，3本书。", "你好，3本书。"),
]  # fmt: skip


@pytest.mark.parametrize("language, text, words", TEXTS)
def test_numbers_and_abbreviations_become_words(language, text, words):
    assert normalize(text, language) == words


@pytest.mark.parametrize("language, text, words", TEXTS)
def test_normalized_text_is_a_fixed_point(language, text, words):
    assert normalize(words, language) == words


@pytest.mark.parametrize("language", NUMBER_WORDS)
def test_no_digit_is_lost_in_any_language(language):
    mark = NUMBER_WORDS[language].decimal
    words = normalize(f"1 2{mark}5 3", language).split()
    one, two, three = (normalize(digit, language) for digit in "123")
    assert words[0] == one and words[-1] == three and two in words
    assert NUMBER_WORDS[language].point in words
    assert not any(char.isdigit() for word in words for char in word)


@pytest.mark.parametrize("language", NUMBER_WORDS)
@pytest.mark.parametrize("number", ["5", "0", "0th", "0.", "1" * 5000])
@pytest.mark.parametrize("form", ["{}", "{}st", "{}%", "{} €", "£{}", "-{},5", "{}s"])
def test_no_number_ends_in_an_error(language, number, form):
    assert normalize(f"a {form.format(number)} b", language)[0] == "a"


PUNCTUATION = [
    ('"Hello," he said.', "Hello, he said."),
    ("'Hello,' he said, 'don't.'", "Hello, he said, don't."),
    ("Is it us?' he said, 'the dogs' Inn.''", "Is it us? he said, the dogs Inn."),
    ("It is us!’ he said. Wait…’", "It is us! he said. Wait."),
    ("“It” (us) [we] «they»", "It us we they"),
    ("sick once -- typhoid — or – not", "sick once; typhoid; or; not"),
    ("I was… ill...", "I was, ill."),
    ("What?! No!!", "What? No!"),
    ("re-entered, don’t", "re-entered, don't"),
    ("one,two", "one, two"),
    ("“Us?”,he said!!no", "Us? he said! no"),
    ("हिन्दी,दुनिया", "हिन्दी, दुनिया"),
    ("  ... well ,  yes ", "well, yes"),
    ("5.20 and 5:30, a.b", "5.20 and 5:30, a.b"),
    ("你好，世界。", "你好, 世界."),
    ("The flush; deepened.", "The flush; deepened."),
]


@pytest.mark.parametrize("text, simple", PUNCTUATION)
def test_punctuation_is_one_mark_after_a_word(text, simple):
    assert simplify_punctuation(text) == simple
    assert simplify_punctuation(simple) == simple


@pytest.mark.parametrize("tag", ["", "e", "12", "english"])
def test_a_language_that_is_no_code_is_refused(tag):
    with pytest.raises(ConfigError, match="expected a code of ISO 639"):
        normalize("one", tag)
