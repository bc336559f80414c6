"""Count phone errors of transcripts by phone and position in the word.

The words of text and transcript are aligned first. Only where they differ are phones
aligned, those of each word by itself: espeak-ng pronounces a word differently beside
others, and a word that was recognized has no errors. Where "three fold" replaces
"threefold", the phones of both sides are those of all words there, and agree.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from typing import NamedTuple

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics.wer import UNSPACED
from espnet_distill.voice.espeak import load_espeak
from espnet_distill.voice.languages import require_language
from espnet_distill.voice.phonemes import FLAG

INITIAL, MEDIAL, FINAL = "initial", "medial", "final"
SEPARATOR = "_"
STRESS = str.maketrans("", "", "ˈˌ")
VOICES = {"en": "en-us"}  # by language; of others the voice has the language's code


class Phone(NamedTuple):
    """A phoneme of espeak-ng without stress, and its position in the word.

    The only phone of a word is initial.
    """

    phone: str
    position: str


@dataclass
class PhoneErrors:
    """Errors of one phone in one position.

    Attributes:
        count: How often it is in the text.
        substitutes: How often each other phone is in its place.
        deleted: How often nothing is.
        inserted: How often it is in the transcript where the text has nothing.
    """

    count: int = 0
    substitutes: Counter[str] = field(default_factory=Counter)
    deleted: int = 0
    inserted: int = 0

    @property
    def substituted(self) -> int:
        return self.substitutes.total()

    @property
    def errors(self) -> int:
        """Substitutions and deletions."""
        return self.substituted + self.deleted

    @property
    def correct(self) -> int:
        return self.count - self.errors


def find_voice(language: str, voice: str | None = None) -> str:
    """Return espeak-ng's voice for a language.

    Args:
        language: A code such as ``de``.
        voice: The voice of the systems' front end, taken if it is of that language.

    Raises:
        ConfigError: Words are not spaced, espeak-ng is not installed, or has no voice.
    """
    if language in UNSPACED:
        raise ConfigError(f"words of {language} are not spaced")
    if not voice or require_language(voice) != language:
        voice = VOICES.get(language, language)
    load_espeak().require_voice(voice)
    return voice


def count_phone_errors(
    pairs: Iterable[tuple[str, str]], voice: str
) -> dict[Phone, PhoneErrors]:
    """Count the phone errors of sentences, by phone and position.

    Args:
        pairs: Text and transcript of each sentence, normalized.
        voice: espeak-ng's language tag.
    """
    counts: dict[Phone, PhoneErrors] = defaultdict(PhoneErrors)
    for text, transcript in pairs:
        words = text.split()
        for phone in _pronounce_all(words, voice):
            counts[phone].count += 1
        for differing in _differing_words(words, transcript.split()):
            _count_errors(counts, *(_pronounce_all(one, voice) for one in differing))
    return dict(counts)


def _differing_words(
    reference: Sequence[str], hypothesis: Sequence[str]
) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Yield the words of both sides between words that are equal."""
    from rapidfuzz.distance import Levenshtein

    steps = Levenshtein.opcodes(reference, hypothesis)
    for is_equal, group in groupby(steps, lambda step: step.tag == "equal"):
        if not is_equal:
            edits = list(group)
            yield (
                reference[edits[0].src_start : edits[-1].src_end],
                hypothesis[edits[0].dest_start : edits[-1].dest_end],
            )


def _count_errors(
    counts: dict[Phone, PhoneErrors], reference: list[Phone], hypothesis: list[Phone]
) -> None:
    """Add the errors of a minimum edit distance alignment to counts."""
    from rapidfuzz.distance import Levenshtein

    symbols = [[one.phone for one in side] for side in (reference, hypothesis)]
    for edit in Levenshtein.editops(*symbols):
        if edit.tag == "insert":
            counts[hypothesis[edit.dest_pos]].inserted += 1
        elif edit.tag == "delete":
            counts[reference[edit.src_pos]].deleted += 1
        else:
            substitute = hypothesis[edit.dest_pos].phone
            counts[reference[edit.src_pos]].substitutes[substitute] += 1


def _pronounce_all(words: Iterable[str], voice: str) -> list[Phone]:
    return [phone for word in words for phone in _pronounce(word, voice)]


@cache
def _pronounce(word: str, voice: str) -> tuple[Phone, ...]:
    """Return the phones of a word by itself; of a number those of each of its words."""
    text = load_espeak().text_to_phonemes(word, voice, SEPARATOR)
    return tuple(
        Phone(phone, _position(index, len(phones)))
        for part in FLAG.sub("", text.translate(STRESS)).split()
        if (phones := [phone for phone in part.split(SEPARATOR) if phone])
        for index, phone in enumerate(phones)
    )


def _position(index: int, length: int) -> str:
    if index == 0:
        return INITIAL
    return FINAL if index == length - 1 else MEDIAL
