"""Sentences of a text, and pieces of long ones: attention's cost is quadratic."""

import re

from .languages import NUMBER_WORDS, NumberWords, day_pattern
from .phonemes import SPACE
from .punctuation import MARKS, OPENING

MOST_PHONEMES = 300  # of a piece; about 20 s
CLOSING = "\"'”’»›)\\]」』）】"
GERMAN = "“‘«‹"  # which close, too, before a space
STOP = re.compile(
    rf"(?P<mark>[.!?…]+)[{CLOSING}{GERMAN}*_]*(?:\s?[»›])*\s+"  # French puts a space before »
    rf"|[。．！？।۔؟]+[{CLOSING}]*\s*"
)
INITIALS = re.compile(r"[^\W\d_]\.|(?:[^\W\d_]\.){2,}")
# Abbreviations after which a sentence may begin
LAST_WORDS = {"etc.", "usw.", "a.m.", "p.m."}


def split_sentences(text: str, language: str | None = None) -> list[str]:
    """Split a text into sentences.

    A sentence ends at a blank line; at ``.!?…`` before a space, unless a small letter
    follows, or the period belongs to an abbreviation, an initial, the day of a date or,
    before a small letter, a number; and at the marks of scripts that write no spaces.

    Args:
        text: A text, in which single line breaks are spaces.
        language: A code whose abbreviations are known, such as ``en``.
    """
    words = NUMBER_WORDS.get(language)
    day = re.compile(day_pattern(words.months)) if words and words.months else None
    sentences = []
    for paragraph in re.split(r"\n\s*\n", text):
        start = 0
        for match in STOP.finditer(paragraph):
            if _ends_sentence(match, words, day):
                sentences.append(paragraph[start : match.end()])
                start = match.end()
        sentences.append(paragraph[start:])
    joined = (" ".join(sentence.split()) for sentence in sentences)
    return [sentence for sentence in joined if sentence]


def _ends_sentence(
    match: re.Match, words: NumberWords | None, day: re.Pattern | None
) -> bool:
    if not match["mark"]:
        return True
    rest = match.string[match.end() :].lstrip(OPENING)
    if rest[:1].islower():
        return False
    if match["mark"] != ".":
        return True
    *_, whole = match.string[: match.end("mark")].rsplit(None, 1)
    word = whole.lstrip(OPENING)
    if day and day.match(match.string, match.end("mark") - len(word)):
        return False
    if word in LAST_WORDS:
        return True
    if words and (
        word in words.abbreviations or word in words.numbered and rest[:1].isdigit()
    ):
        return False
    return not (INITIALS.fullmatch(word) and word != "I.")


def split_phonemes(phonemes: list[str]) -> list[list[str]]:
    """Split phonemes into sentences, after ``.?!`` before a space."""
    sentences, start = [], 0
    for at, phoneme in enumerate(phonemes):
        if phoneme == SPACE and at and phonemes[at - 1] in tuple(".?!"):
            sentences.append(phonemes[start:at])
            start = at + 1
    return [*sentences, phonemes[start:]]


def split_long(phonemes: list[str], most: int = MOST_PHONEMES) -> list[list[str]]:
    """Split the phonemes of a sentence into pieces of a maximum length.

    The cuts are the clause marks, or else the spaces, that are nearest to the middle.
    """
    if len(phonemes) <= most:
        return [phonemes]
    middle = len(phonemes) // 2
    spaces = [at for at in range(1, len(phonemes) - 1) if phonemes[at] == SPACE]
    marks = [at for at in spaces if phonemes[at - 1] in MARKS]
    cut = min(marks or spaces, key=lambda at: abs(at - middle), default=None)
    before, after = (middle, middle) if cut is None else (cut, cut + 1)
    return [*split_long(phonemes[:before], most), *split_long(phonemes[after:], most)]
