"""lexicon.txt of a voice: words and their phonemes, for runtimes without espeak-ng."""

import importlib.util
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.utils.files import read_text
from espnet_distill.voice.phonemes import SPACE, phonemize

LEXICON = "lexicon.txt"
AUTO, COUNT = "auto", 50_000  # words of wordfreq
NOTICE = "the words of lexicon.txt are wordfreq's (Robyn Speer), CC BY-SA 4.0"
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*'?")  # sherpa-onnx splits at hyphens


def words_of_voice(source: str, settings: Mapping) -> list[str]:
    """Return the words of a voice's lexicon; see :func:`read_words`.

    Raises:
        ConfigError: The voice has no phonemes of espeak-ng.
    """
    if settings["phoneme_type"] != "espeak":
        raise ConfigError(
            f"--lexicon: the voice's symbols are {settings['phoneme_type']}, not phonemes "
            "of espeak-ng; leave it out"
        )
    return read_words(source, settings["front_end"]["language"])


def read_words(source: str, language: str | None) -> list[str]:
    """Return distinct words in lower case, in order.

    Args:
        source: A file of words or of a text, or `auto` for the most frequent words.
        language: A code such as ``en``, for `auto`.

    Raises:
        ConfigError: There are none, or wordfreq is missing or lacks the language.
    """
    if source == AUTO:
        found = _frequent(language)
    else:
        found = read_text(Path(source)).split()
    words = list(dict.fromkeys(WORD.findall("\n".join(found).lower())))
    if not words:
        raise ConfigError(f"--lexicon: {source}: has no words")
    return words


def _frequent(language: str | None) -> list[str]:
    if importlib.util.find_spec("wordfreq") is None:
        raise ConfigError(
            "--lexicon auto: wordfreq is not installed; pip install wordfreq, or name a "
            "file of words"
        )
    from wordfreq import available_languages, top_n_list

    if language not in available_languages():
        raise ConfigError(
            f"--lexicon auto: wordfreq has no language {language}; name a file of words"
        )
    return top_n_list(language, COUNT)


def lexicon_lines(
    words: Collection[str], voice: str, symbols: Collection[str]
) -> Iterator[str]:
    """Yield a line `word p p …` of each word with phonemes.

    Args:
        words: The words.
        voice: espeak-ng's language tag.
        symbols: The phonemes that the voice has; others are left out.
    """
    for word in words:
        try:
            phonemes = phonemize(word, voice)
        except ConfigError:  # espeak-ng has none for it
            continue
        phonemes = [one for one in phonemes if one in symbols and one != SPACE]
        if phonemes:
            yield f"{word} {' '.join(phonemes)}\n"
