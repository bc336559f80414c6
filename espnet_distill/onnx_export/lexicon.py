"""lexicon.txt of a voice: words and their phonemes, for runtimes without espeak-ng.

sherpa-onnx 2.x puts the id of a space after each word, also before a mark, and none after
a comma. In lexicon_tokens.txt this is an id that the graph drops; each word begins with
BOUNDARY, the space of the training.
"""

import importlib.util
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.utils.files import read_text
from espnet_distill.voice.normalization import normalize
from espnet_distill.voice.phonemes import SPACE, phonemize

LEXICON, LEXICON_TOKENS = "lexicon.txt", "lexicon_tokens.txt"
BOUNDARY = "▁"
AUTO, COUNT = "auto", 100_000  # words of wordfreq
NUMBERS = range(2101)  # years among them
PAUSES = {"—": ";", "–": ";", "…": ","}  # as in voice.punctuation
SIGNS = ("&", "%")
FREQUENT = 2000  # words that are phonemized between others, as they may be weak there
NEIGHBORS = slice(1000, 5000)  # the others: seldom weak themselves
SPELLINGS = {"en": {"i": "I"}}  # espeak-ng has the letter's name for the other one
NOTICE = "the words of lexicon.txt are wordfreq's (Robyn Speer), CC BY-SA 4.0"
COMBINING = "".join(  # vowel signs of Hindi, accents of Arabic and the like; no \w
    char
    for char in map(chr, range(0x300, 0x1F000))
    if unicodedata.category(char).startswith("M")
)
LETTERS = rf"(?:[^\W\d_][{COMBINING}]*)+"
WORD = re.compile(rf"{LETTERS}(?:['’]{LETTERS})*'?")  # sherpa-onnx splits at hyphens


def words_of_voice(source: str, kind: str, language: str | None) -> list[str]:
    """Return the words of a voice's lexicon; see :func:`read_words`.

    Args:
        source: See there.
        kind: The kind of the voice's symbols.
        language: See there.

    Raises:
        ConfigError: The voice has no phonemes of espeak-ng.
    """
    if kind != "espeak":
        raise ConfigError(
            f"--lexicon: the voice's symbols are {kind}, not phonemes of espeak-ng; "
            "leave it out"
        )
    return read_words(source, language)


def read_words(source: str, language: str | None) -> list[str]:
    """Return distinct words in lower case and NFC, in order.

    Args:
        source: A file of words or of a text, or `auto` for the most frequent words,
            numbers, signs and dashes.
        language: A code such as ``en``, for `auto`.

    Raises:
        ConfigError: There are none, or wordfreq is missing or lacks the language.
    """
    if source == AUTO:
        found = _frequent(language)
    else:
        found = read_text(Path(source)).split()
    text = unicodedata.normalize("NFC", "\n".join(found).lower())
    words = list(dict.fromkeys(WORD.findall(text)))
    if not words:
        raise ConfigError(f"--lexicon: {source}: has no words")
    return [*words, *map(str, NUMBERS), *SIGNS, *PAUSES] if source == AUTO else words


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
    words: Sequence[str], voice: str, language: str | None, symbols: Collection[str]
) -> Iterator[str]:
    """Yield a line `word ▁ p p …` of each word with phonemes.

    Args:
        words: The words, the frequent ones first.
        voice: espeak-ng's language tag.
        language: A code such as ``en``, for numbers.
        symbols: The phonemes that the voice has; others are left out.
    """
    neighbors = _neighbors(words)
    spellings = SPELLINGS.get(voice.partition("-")[0], {})
    for rank, word in enumerate(words):
        if word in PAUSES:
            phonemes = [PAUSES[word]]
        else:
            spelled = spellings.get(word, word)
            pairs = neighbors if rank < FREQUENT else ()
            phonemes = _phonemes_between(spelled, pairs, voice)
            phonemes = [SPACE, *(phonemes or _phonemes_alone(spelled, voice, language))]
        shown = [BOUNDARY if one == SPACE else one for one in phonemes]
        shown = [one for one in shown if one == BOUNDARY or one in symbols]
        if {*shown} - {BOUNDARY}:
            yield f"{word} {' '.join(shown)}\n"


def lexicon_tokens(ids: Mapping[str, list[int]]) -> dict[str, list[int]]:
    """Return symbol → ids of lexicon_tokens.txt, of those of tokens.txt."""
    return {**ids, " ": ids["_"], BOUNDARY: ids.get(" ", ids["_"])}


def _neighbors(words: Sequence[str]) -> list[tuple[str, str]]:
    """Return three pairs of words, between which a word is phonemized."""
    pool = words[NEIGHBORS] or words
    chosen = [pool[len(pool) * place // 6] for place in range(6)]
    return list(zip(chosen[::2], chosen[1::2]))


def _phonemes_between(
    word: str, neighbors: Sequence[tuple[str, str]], voice: str
) -> list[str]:
    """Return the phonemes that a word has most often between others; none if joined."""
    found = Counter()
    for before, after in neighbors:
        try:
            text = "".join(phonemize(f"{before} {word} {after}", voice))
        except ConfigError:  # espeak-ng has none for one of them
            continue
        parts = text.split(SPACE)
        if len(parts) == 3:
            found[parts[1]] += 1
    return list(found.most_common(1)[0][0]) if found else []


def _phonemes_alone(word: str, voice: str, language: str | None) -> list[str]:
    """Return the phonemes of a word, or of a number in words; none without any."""
    try:
        return phonemize(normalize(word, language) if word.isdecimal() else word, voice)
    except ConfigError:
        return []
