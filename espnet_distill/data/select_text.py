"""Select sentences whose pairs of adjacent tokens cover those of a text."""

import heapq
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

EDGE = ""  # before the first token and after the last one
OFTEN = 20
WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Selection:
    """Selected utterances, and how well they cover a text.

    Attributes:
        utterances: In the order in which they were selected: a part of this list from
            its beginning is the selection of fewer sentences.
        pairs: Number of different pairs of adjacent tokens in the text.
        covered: Number of those that the selection has.
        often: Number of those that it has 20 times or more.
    """

    utterances: list[str]
    pairs: int
    covered: int
    often: int

    def __str__(self) -> str:
        return (
            f"{len(self.utterances):,} sentences with {self.covered:,} of {self.pairs:,} "
            f"pairs of adjacent tokens, {self.often:,} of them {OFTEN} times or more"
        )


def select_sentences(
    sentences: Mapping[str, Sequence[str]],
    number: int,
    covered: Collection[Sequence[str]] = (),
) -> Selection:
    """Select sentences, each of which adds the most to the pairs covered, per token.

    The objective is the sum of log(1 + count) over pairs of adjacent tokens, which is
    submodular: the gain of a sentence never grows, so that only the first of a queue of
    earlier gains is computed anew (lazy greedy, Minoux 1978).

    Args:
        sentences: Utterance → tokens.
        number: Sentences to select, at most.
        covered: Tokens of sentences that are used in any case, such as those of the
            recordings.
    """
    pairs = {name: _pairs_of(tokens) for name, tokens in sentences.items()}
    counts = Counter(
        pair for tokens in covered for pair in _pairs_of(tokens).elements()
    )

    def loss(name: str) -> float:
        own = pairs[name].items()
        added = sum(math.log1p(count / (1 + counts[pair])) for pair, count in own)
        return -added / (1 + len(sentences[name]))

    queue = [(loss(name), position, name) for position, name in enumerate(sentences)]
    heapq.heapify(queue)
    selected: list[str] = []
    while queue and len(selected) < number:
        _, position, name = heapq.heappop(queue)
        current = (loss(name), position, name)
        if queue and current > queue[0]:
            heapq.heappush(queue, current)
            continue
        selected.append(name)
        counts.update(pairs[name])
    known = frozenset().union(*pairs.values())
    return Selection(
        selected,
        len(known),
        sum(counts[pair] > 0 for pair in known),
        sum(counts[pair] >= OFTEN for pair in known),
    )


def new_sentences(texts: Mapping[str, str], excluded: Iterable[str]) -> dict[str, str]:
    """Return the texts whose words, without case and marks, occur once and are not excluded."""
    known = set(map(_words_of, excluded))
    new = {}
    for name, text in texts.items():
        words = _words_of(text)
        if words and words not in known:
            known.add(words)
            new[name] = text
    return new


def _words_of(text: str) -> str:
    return " ".join(WORD.findall(text.casefold()))


def _pairs_of(tokens: Sequence[str]) -> Counter[tuple[str, str]]:
    return Counter(pairwise([EDGE, *tokens, EDGE]))
