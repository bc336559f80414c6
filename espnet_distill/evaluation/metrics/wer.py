"""Count word and character errors of transcripts with jiwer.

Reference and hypothesis are first normalized by Whisper's English normalizer, so
differences in spelling variant, number format, case and punctuation are not counted.
"""

from dataclasses import dataclass
from functools import cache

from espnet_distill.errors import ConfigError


@dataclass(frozen=True)
class Errors:
    """Substitutions, deletions and insertions in a reference of ``total`` units."""

    errors: int
    total: int


def word_errors(reference: str, hypothesis: str) -> Errors:
    """Count the word errors of a sentence."""
    import jiwer

    return _errors(jiwer.process_words(*_normalize(reference, hypothesis)))


def character_errors(reference: str, hypothesis: str) -> Errors:
    """Count the character errors of a sentence, spaces included."""
    import jiwer

    return _errors(jiwer.process_characters(*_normalize(reference, hypothesis)))


def error_rate(counts: list[Errors]) -> float:
    """Return the corpus-level error rate in percent."""
    units = sum(count.total for count in counts)
    if not units:
        raise ConfigError("text: no words in any sentence; give sentences in English")
    return 100 * sum(count.errors for count in counts) / units


def _errors(alignment) -> Errors:
    """Sum the counts of jiwer's output."""
    return Errors(
        alignment.substitutions + alignment.deletions + alignment.insertions,
        alignment.hits + alignment.substitutions + alignment.deletions,
    )


def _normalize(reference: str, hypothesis: str) -> tuple[str, str]:
    return _normalizer()(reference), _normalizer()(hypothesis)


@cache
def _normalizer():
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer()
