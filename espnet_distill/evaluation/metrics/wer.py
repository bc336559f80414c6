"""Count word and character errors of transcripts with jiwer.

Reference and hypothesis are first normalized: English by Whisper's English normalizer,
so differences in spelling variant, number format, case and punctuation are not counted;
other languages by its basic normalizer, which removes case and punctuation. Japanese
is compared by its katakana readings, since most words have several spellings (時計,
とけい; 三千円, 3000円), of which a recognizer chooses one.
"""

import re
from dataclasses import dataclass
from functools import cache

from espnet_distill.experiments.text_frontend import require_package


@dataclass(frozen=True)
class Errors:
    """Substitutions, deletions and insertions in a reference of ``total`` units."""

    errors: int
    total: int


READINGS = "pyopenjtalk_kana"  # ESPnet's g2p that makes Japanese comparable

# Long vowels: トケイ, as Open JTalk reads とけい, is トケー, as it reads 時計.
LONG = re.compile(
    "(?<=[エケセテネヘメレゲゼデベペェ])イ|(?<=[オコソトノホモヨロゴゾドボポョォ])ウ"
)

# Languages whose words are not separated by spaces
UNSPACED = frozenset({"ja", "km", "lo", "my", "th", "yue", "zh"})


def require_readings(language: str) -> None:
    """Raise a ConfigError if the package for Japanese readings is not installed."""
    if language == "ja":
        require_package(READINGS)


def word_errors(reference: str, hypothesis: str, language: str = "en") -> Errors | None:
    """Count the word errors of a sentence; None if words are not spaced."""
    import jiwer

    if language in UNSPACED:
        return None
    return _errors(jiwer.process_words(*normalize(language, reference, hypothesis)))


def character_errors(reference: str, hypothesis: str, language: str = "en") -> Errors:
    """Count the character errors of a sentence.

    Spaces are characters, but not in a language whose words are not spaced.
    """
    import jiwer

    texts = normalize(language, reference, hypothesis)
    if language in UNSPACED:
        texts = ["".join(text.split()) for text in texts]
    return _errors(jiwer.process_characters(*texts))


def error_rate(counts: list[Errors]) -> float | None:
    """Return the corpus-level error rate in percent; None without words."""
    units = sum(count.total for count in counts)
    return 100 * sum(count.errors for count in counts) / units if units else None


def _errors(alignment) -> Errors:
    """Sum the counts of jiwer's output."""
    return Errors(
        alignment.substitutions + alignment.deletions + alignment.insertions,
        alignment.hits + alignment.substitutions + alignment.deletions,
    )


def normalize(language: str, *texts: str) -> list[str]:
    """Return texts in the form in which errors are counted."""
    return [_normalizer(language)(text) for text in texts]


@cache
def _normalizer(language: str):
    if language == "en":
        from whisper_normalizer.english import EnglishTextNormalizer

        return EnglishTextNormalizer()
    from whisper_normalizer.basic import BasicTextNormalizer

    basic = BasicTextNormalizer()
    return (lambda text: basic(_reading(text))) if language == "ja" else basic


def _reading(text: str) -> str:
    """Return a Japanese text in katakana, as it is pronounced."""
    import pyopenjtalk

    return LONG.sub("ー", pyopenjtalk.g2p(text, kana=True))
