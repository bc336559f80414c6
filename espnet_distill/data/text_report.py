"""Report what a front end makes of a corpus's text, before a training."""

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from espnet_distill.data.front_end import FrontEnd
from espnet_distill.data.languages import language_of
from espnet_distill.errors import ConfigError, summarize
from espnet_distill.experiments.text_frontend import UNKNOWN, front_end_of
from espnet_distill.utils.markdown import aligned
from espnet_distill.voice.espeak import provide_espeak

EXAMPLES = 3
LONGEST = 48  # characters of an example
FLAG = re.compile(r"\([a-z]{2,3}(?:-[a-z0-9-]+)?\)")
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
ASCII = re.compile(r"[0-9A-Za-z]+")
OTHER_SCRIPTS = ("ja", "ko", "zh")  # g2ps of which may omit what ASCII matches
ONCE = "tokens seen once"
MARKS = frozenset(".,;:?!\"'()[]{}<>«»“”„…—–-")


@dataclass
class Finding:
    """A row of the report.

    Attributes:
        title: What was found.
        sentences: Sentences it was found in.
        count: Occurrences.
        examples: The first three different ones.
    """

    title: str
    sentences: int = 0
    count: int = 0
    examples: tuple[str, ...] = ()

    def add(self, examples: Collection[str]) -> None:
        """Add what was found in one sentence, one example an occurrence."""
        self.sentences += bool(examples)
        self.count += len(examples)
        new = [one for one in dict.fromkeys(examples) if one not in self.examples]
        self.examples = (*self.examples, *new)[:EXAMPLES]


def report_text(
    lines: Mapping[str, str],
    front_end: FrontEnd,
    bpemodel: str | None = None,
    tokens: Collection[str] | None = None,
) -> list[Finding]:
    """Return what a front end loses, changes or makes of texts.

    Args:
        lines: Utterance → text as the training reads it.
        front_end: The front end of the training.
        bpemodel: A sentencepiece model, for ``bpe``.
        tokens: The training's token list; None leaves unknown tokens out.

    Returns:
        The findings that occur.

    Raises:
        ConfigError: A package of the front end is missing, or its g2p fails on a text.
    """
    reporter = _Reporter(front_end, bpemodel, tokens)
    for utterance, text in lines.items():
        with _failures_of(front_end, utterance, text):
            reporter.read(text)
    return reporter.findings()


def tokens_of(lines: Mapping[str, str], front_end: FrontEnd) -> dict[str, list[str]]:
    """Return the tokens of texts by utterance; errors as `report_text`."""
    reporter, tokens = _Reporter(front_end, None, None), {}
    for utterance, text in lines.items():
        with _failures_of(front_end, utterance, text):
            tokens[utterance] = reporter.tokenize(reporter.clean(text))
    return tokens


@contextmanager
def _failures_of(front_end: FrontEnd, utterance: str, text: str) -> Iterator[None]:
    """Convert a g2p's failure on a text to a ConfigError."""
    try:
        yield
    except (IndexError, ValueError) as error:
        raise ConfigError(
            f"{utterance}: {text!r}: g2p {front_end.g2p} fails: {summarize(error)}; "
            "reword it"
        ) from error


def format_report(findings: list[Finding], sentences: int) -> str:
    """Return the findings as a Markdown table, or a line if there are none."""
    if not findings:
        return f"{sentences} sentences: nothing found"
    columns = {
        f"{sentences} sentences": [finding.title for finding in findings],
        "sentences": [f"{finding.sentences:,}" for finding in findings],
        "count": [f"{finding.count:,}" for finding in findings],
        "examples": [", ".join(map(_shorten, one.examples)) for one in findings],
    }
    return aligned(columns)


class _Reporter:
    """Runs cleaner and g2p on texts and collects findings."""

    def __init__(self, front_end: FrontEnd, bpemodel, tokens):
        from espnet2.text.build_tokenizer import build_tokenizer
        from espnet2.text.cleaner import TextCleaner

        provide_espeak()
        self.front_end, self.tokens = front_end, tokens and frozenset(tokens)
        self.clean = TextCleaner(front_end.cleaner)
        with front_end_of("--g2p"):
            self.tokenizer = build_tokenizer(
                front_end.token_type, bpemodel=bpemodel, g2p_type=front_end.g2p
            )
            self.tokenize("a")  # packages are imported here
        g2p = getattr(self.tokenizer, "g2p", None)
        self.phonemizer = g2p if hasattr(g2p, "phonemizer") else None
        self.seen: Counter[str] = Counter()
        self.first: dict[str, str] = {}
        self.rows = {
            name: Finding(title)
            for name, title in (
                ("removed", "letters that the cleaner removes"),
                ("changed", "phonemes that the cleaner changes"),
                ("spelled", "words that are spelled, not in capitals in the text"),
                ("lost", "text that the g2p loses"),
                ("unknown", f"tokens that are {UNKNOWN}"),
                ("flags", "language flags in tokens"),
                ("joined", "tokens of several code points with punctuation"),
                ("once", ONCE),
            )
        }

    def tokenize(self, text: str) -> list[str]:
        return self.tokenizer.text2tokens(text)

    def read(self, text: str) -> None:
        cleaned = self.clean(text)
        tokens = self.tokenize(cleaned)
        self.rows["removed"].add(_letters_lost(text, cleaned))
        if self.front_end.token_type == "phn" and self.front_end.g2p:
            if cleaned != text:
                self.rows["changed"].add(_changed(tokens, self.tokenize(text)))
            self.rows["spelled"].add(self._spelled(text, cleaned))
        if self.phonemizer:
            self.rows["lost"].add(self._lost(cleaned))
        elif language_of(self.front_end.g2p) in OTHER_SCRIPTS:
            self.rows["lost"].add(self._ignored(cleaned, tokens))
        if self.tokens is not None:
            unknown = [one for one in tokens if one not in self.tokens]
            self.rows["unknown"].add(list(map(repr, unknown)))
        self.rows["flags"].add(FLAG.findall("".join(tokens)))
        self.rows["joined"].add([repr(one) for one in tokens if _is_joined(one)])
        self.seen.update(tokens)
        for token in tokens:
            self.first.setdefault(token, text)

    def findings(self) -> list[Finding]:
        once = [token for token, count in self.seen.items() if count == 1]
        for text in dict.fromkeys(self.first[token] for token in once):
            tokens = [repr(token) for token in once if self.first[token] == text]
            self.rows["once"].add([f"{token} in {_shorten(text)}" for token in tokens])
        return [row for row in self.rows.values() if row.count]

    def _lost(self, text: str) -> list[str]:
        """Return the phonemes after the line that ESPnet's Phonemizer keeps."""
        lines = self.phonemizer.phonemizer.phonemize(
            [text], separator=self.phonemizer.separator, strip=True
        )
        return [" ".join(lines[1:])] if len(lines) > 1 else []

    def _ignored(self, text: str, tokens: list[str]) -> list[str]:
        """Return numbers and words in Latin letters that leave no tokens."""
        return [
            match[0]
            for match in ASCII.finditer(text)
            if _sounds(tokens)
            == _sounds(self.tokenize(text[: match.start()] + text[match.end() :]))
        ]

    def _spelled(self, text: str, cleaned: str) -> list[str]:
        after = set(WORD.findall(cleaned))
        return [
            word
            for word in WORD.findall(text)
            if len(word) > 1 and not word.isupper()
            for form in sorted({word, word.upper()} & after)
            if self._is_spelled(form)
        ]

    @functools.cache
    def _is_spelled(self, word: str) -> bool:
        """Return True if a word's phonemes are those of its letters."""
        if not self.phonemizer:
            return False
        letters = ".".join(word.upper()) + "."
        return _phonemes(self._ipa(word)) == _phonemes(self._ipa(letters))

    def _ipa(self, text: str) -> list[str]:
        return list("".join(self.tokenize(text)))


def _letters(text: str) -> Counter[str]:
    return Counter(char for char in text.casefold() if char.isalpha())


def _letters_lost(text: str, cleaned: str) -> list[str]:
    """Return the letters outside ASCII of which a text's cleaned form has fewer.

    Case is ignored. ASCII letters change where a cleaner expands abbreviations.
    """
    before = _letters(unicodedata.normalize("NFC", text))
    after = _letters(unicodedata.normalize("NFC", cleaned))
    lost = before - after
    return [letter for letter in lost.elements() if not letter.isascii()]


def _sounds(tokens: Collection[str]) -> list[str]:
    """Return tokens without spaces."""
    return [token for token in tokens if token.strip() and token != "<space>"]


def _phonemes(tokens: Collection[str]) -> str:
    """Return tokens without punctuation, spaces and stress."""
    joined = "".join(tokens).replace("<space>", "")
    return "".join(char for char in joined if char.isalpha() and char not in "ˈˌ")


def _changed(cleaned: list[str], plain: list[str]) -> list[str]:
    before, after = _phonemes(plain), _phonemes(cleaned)
    return [] if before == after else [_differing(before, after)]


def _differing(before: str, after: str) -> str:
    """Return the differing middle of two strings as ``before → after``."""
    start = next(
        (i for i, pair in enumerate(zip(before, after)) if len(set(pair)) > 1),
        min(len(before), len(after)),
    )
    end = 0
    shortest = min(len(before), len(after)) - start
    while end < shortest and before[-1 - end] == after[-1 - end]:
        end += 1
    start = max(0, start - 2)
    one, other = (text[start : len(text) - end] for text in (before, after))
    return f"{one or '–'} → {other or '–'}"


def _is_joined(token: str) -> bool:
    marks = sum(char in MARKS for char in token)
    return 0 < marks < len(token) and not re.fullmatch(r"<.*>|[\w'-]+", token)


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
