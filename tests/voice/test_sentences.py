"""Sentences, and pieces of long ones."""

import pytest

from espnet_distill.voice.phonemes import SPACE
from espnet_distill.voice.sentences import split_long, split_phonemes, split_sentences


@pytest.mark.parametrize(
    "language, sentences",
    [
        ("en", ["It is.", "Who?", "No!", "A"]),
        ("en", ["Mr. J. R. Smith went to St. Paul.", "It was 5.20 there."]),
        ("en", ['He said: "Is it?"', "So do I.", "Then he left."]),
        ("en", ['"Why not?" he asked.', "Nobody knew … for long."]),
        ("en", ["At 5 p.m. it began, e.g. Rain etc.", "They left at 6 p.m.", "So."]),
        ("en", ["No. 5 is in Vol. 2, pp. 3-4.", "Is it?", "No.", "Yes."]),
        ("en", ["On Jan. 5 Sen. Lee, a Ph.D. from Mt. Ida, came.", "So."]),
        ("fr", ["M. Dupont et Mme. Petit.", "Oui."]),
        ("es", ["El Sr. García y la Dra. Ruiz.", "Sí."]),
        ("it", ["Il Sig. Rossi.", "Sì."]),
        ("pt", ["O Sr. Silva.", "Sim."]),
        ("en", ["The U.S. Army came.", "(It rained.)", "[Really?!]", "End"]),
        ("de", ["Am 3. mai, z. B. Köln, usw.", "Dr. Kohl kam.", "Ja?"]),
        ("de", ["Am 3. Mai kam er.", "Vom 1. bis zum 3. März.", "Sie ist 5.", "Er 7."]),
        ("de", ["„Ja.“", "»Wer?« fragte er.", "Er kam: »Ich.«", "‚So.‘", "»Du?«"]),
        ("fr", ["« Bonjour ! » dit-il.", "« Oui. »", "« Qui ? »", "Il part."]),
        ("ja", ["今日は。", "「晴れですか？」", "はい"]),
        ("ja", ["是！", "“他。”", "否"]),
        ("hi", ["नमस्ते।", "यह"]),
        (None, ["One.", "Two."]),
    ],
)
def test_sentences(language, sentences):
    joined = ("" if language in ("ja", "hi") else " ").join(sentences)
    assert split_sentences(joined, language) == sentences


def test_a_blank_line_ends_a_sentence_and_a_line_break_does_not():
    assert split_sentences("A title\n\nOne\nline.  \n \n\n Two") == [
        "A title",
        "One line.",
        "Two",
    ]
    assert split_sentences(" \n\n ") == []


def tokens(text):
    return [SPACE if char == " " else char for char in text]


def test_phonemes_are_split_after_marks_before_spaces():
    assert split_phonemes(tokens("ab. cd, e? f")) == [
        *map(tokens, ("ab.", "cd, e?", "f"))
    ]
    assert split_phonemes(tokens("a.b")) == [tokens("a.b")]


@pytest.mark.parametrize(
    "text, most, pieces",
    [
        ("ab cd", 5, ["ab cd"]),
        ("a b c d e f, g", 12, ["a b c d e f,", "g"]),
        ("ab cd ef gh", 6, ["ab cd", "ef gh"]),
        ("abcdef", 3, ["abc", "def"]),
        ("a, bcdefgh", 5, ["a,", "bcd", "efgh"]),
    ],
)
def test_long_sentences(text, most, pieces):
    assert split_long(tokens(text), most) == list(map(tokens, pieces))
