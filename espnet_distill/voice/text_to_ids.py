"""Text to phonemes, sentence by sentence, and phonemes to the ids of a voice."""

import logging
import unicodedata
from collections.abc import Iterator

from .config import BEGIN, END, PADDING, VoiceConfig
from .errors import ConfigError
from .normalization import normalize
from .phonemes import SPACE, phonemize
from .sentences import split_phonemes, split_sentences


class TextToIds:
    """The front end of a voice.

    Args:
        config: The voice's.
    """

    def __init__(self, config: VoiceConfig):
        self.config = config
        self._unknown: set[str] = set()

    def sentences(self, text: str) -> Iterator[list[str]]:
        """Yield the phonemes of each sentence of a text.

        Raises:
            ConfigError: No runtime has the voice's front end, or espeak-ng is missing.
        """
        kind, language = self.config.phoneme_type, self.config.language
        if kind not in ("espeak", "text"):
            raise ConfigError(
                f"{self.config.path}: phoneme_type: no front end for {kind}; "
                "give phonemes"
            )
        for sentence in split_sentences(text, language):
            words = normalize(sentence, language) if language else sentence
            if kind == "espeak":
                yield phonemize(words, self.config.espeak_voice)
            else:
                yield self._letters(words)

    def given_phonemes(self, text: str) -> Iterator[list[str]]:
        """Yield the phonemes of each sentence of a text of phonemes.

        They are code points, with spaces between words; for a voice of type ``ids``,
        tokens between spaces; for one of type ``text``, letters. A line break ends a
        sentence.
        """
        kinds = {"ids": str.split, "text": self._letters}
        split = kinds.get(self.config.phoneme_type, _code_points)
        for line in text.splitlines():
            yield from split_phonemes(split(line))

    def ids(self, phonemes: list[str]) -> list[int]:
        """Return the ids of phonemes, with padding, begin and end.

        They are empty if only spaces and punctuation have ids. Phonemes without an id
        are left out, with a warning.
        """
        table = self.config.ids
        symbols = [" " if phoneme == SPACE else phoneme for phoneme in phonemes]
        known = [symbol for symbol in symbols if symbol in table]
        self._warn(set(symbols) - table.keys())
        if not any(unicodedata.category(char)[0] in "LMN" for char in "".join(known)):
            return []
        padded = [one for symbol in known for one in (symbol, PADDING)]
        return [id for one in (BEGIN, PADDING, *padded, END) for id in table[one]]

    def _letters(self, text: str) -> list[str]:
        """Return letters in the form and the case that the voice has.

        A composed letter is taken apart, unless the voice may have it and does.
        """
        if not self.config.composed:
            return [self._letter(char) for char in _code_points(text)]
        letters = []
        for char in _code_points(text, "NFC"):
            is_whole = char == SPACE or self._letter(char) in self.config.ids
            parts = [char] if is_whole else _code_points(char)
            letters += map(self._letter, parts)
        return letters

    def _letter(self, letter: str) -> str:
        """Return a letter in the case that the voice has."""
        table = self.config.ids
        cases = (letter, letter.upper(), letter.lower())
        return next((case for case in cases if case in table), letter)

    def _warn(self, symbols: set[str]) -> None:
        """Warn of symbols without an id, once of each."""
        if new := symbols - self._unknown:
            self._unknown |= new
            names = ", ".join(map(repr, sorted(new)))
            place = self.config.path
            logging.getLogger(__name__).warning(
                "%s: no id for %s: left out", place, names
            )


def _code_points(text: str, form: str = "NFD") -> list[str]:
    spaced = unicodedata.normalize(form, " ".join(text.split()))
    return [SPACE if char == " " else char for char in spaced]
