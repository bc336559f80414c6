"""Errors of what was heard against what was to be said, by jiwer.

Both sides go through Whisper's English normaliser first: spelling, numbers, case and
punctuation are no errors.
"""

from dataclasses import dataclass
from functools import cache

from espnet_distill.errors import ConfigError


@dataclass(frozen=True)
class Errors:
    """Substitutions, deletions and insertions, ``of`` so many units of a reference."""

    errors: int
    of: int


def word_errors(reference: str, hypothesis: str) -> Errors:
    """Count the wrong words of a sentence."""
    import jiwer

    return _errors(jiwer.process_words(*_normalised(reference, hypothesis)))


def character_errors(reference: str, hypothesis: str) -> Errors:
    """Count the wrong characters of a sentence; a space is one."""
    import jiwer

    return _errors(jiwer.process_characters(*_normalised(reference, hypothesis)))


def error_rate(counts: list[Errors]) -> float:
    """Errors per hundred units of the whole corpus, in percent."""
    units = sum(count.of for count in counts)
    if not units:
        raise ConfigError("text: no words to recognise; give sentences in English")
    return 100 * sum(count.errors for count in counts) / units


def _errors(found) -> Errors:
    """What one of jiwer's outputs counts."""
    return Errors(
        found.substitutions + found.deletions + found.insertions,
        found.hits + found.substitutions + found.deletions,
    )


def _normalised(reference: str, hypothesis: str) -> tuple[str, str]:
    return _normaliser()(reference), _normaliser()(hypothesis)


@cache
def _normaliser():
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer()
