"""Text to phonemes, one Unicode code point a token, as Piper's ids are."""

import re
import unicodedata

from .errors import ConfigError
from .espeak import load_espeak
from .punctuation import MARKS, simplify_punctuation

SPACE = "<space>"  # the word boundary in ESPnet's token lists; Piper's is " "
FLAG = re.compile(r"\([^()]*\)")
# espeak-ng 1.52.0.1 writes ʲ where a vowel follows i; 1.52.0 and older do not
GLIDE = re.compile(r"(?<=[iɪ])(ː?)ʲ")


def phonemize(text: str, voice: str = "en-us") -> list[str]:
    """Return the phonemes of a text as code points.

    The tokens are those of ESPnet's ``espeak_ng_english_us_vits``, for any voice:
    espeak-ng's IPA in Unicode's NFD, with stress marks; ``<space>`` between words; the
    marks ``.,;:?!``. Flags of language switches are removed.

    Args:
        text: A text, normalized if espeak-ng does not read its numbers well.
        voice: A language tag of espeak-ng, such as ``en-us`` or ``de``.

    Raises:
        ConfigError: espeak-ng is not installed, has no such voice, or returns no
            phonemes for a clause that has letters or digits.
    """
    espeak = load_espeak()
    espeak.require_voice(voice)
    clauses = []
    for words, mark in split_clauses(simplify_punctuation(text)):
        phonemes = GLIDE.sub(r"\1", FLAG.sub("", espeak.text_to_phonemes(words, voice)))
        if not phonemes and any(char.isalnum() for char in words):
            raise ConfigError(
                f"{words!r}: espeak-ng's {voice} has no phonemes for it; write it in "
                "words of that language"
            )
        if phonemes:
            clauses.append(" ".join(phonemes.split()) + mark)
    spaced = unicodedata.normalize("NFD", " ".join(clauses))
    return [SPACE if char == " " else char for char in spaced]


def split_clauses(text: str) -> list[tuple[str, str]]:
    """Split a text of simple punctuation into (words, mark) of each clause.

    A mark ends a clause where a space follows; the last one may have none.
    """
    clauses, words = [], []
    for word in text.split():
        words.append(word)
        if word[-1] in MARKS:
            clauses.append((" ".join(words)[:-1], word[-1]))
            words = []
    if words:
        clauses.append((" ".join(words), ""))
    return clauses
