"""Sentences are selected by the pairs of tokens that they add."""

import random
from collections import Counter
from itertools import pairwise
from math import log1p

import pytest

from espnet_distill.cli.main import main
from espnet_distill.data.select_text import new_sentences, select_sentences

LETTERS = "abcdefgh"


@pytest.fixture(scope="module")
def sentences():
    """Sentences of letters, the first of which have four letters only."""
    draw = random.Random(0)
    return {
        f"s{number}": draw.choices(
            LETTERS[: 4 if number < 60 else 8], k=draw.randint(3, 9)
        )
        for number in range(120)
    }


def pairs(tokens):
    return Counter(pairwise(["", *tokens, ""]))


def select_slowly(sentences, number, counts):
    """Select as `select_sentences` does, with each gain computed at each step."""
    left, selected = dict(sentences), []
    for _ in range(number):

        def gain(name):
            own = pairs(left[name]).items()
            added = sum(log1p(n / (1 + counts[pair])) for pair, n in own)
            return added / (1 + len(left[name]))

        best = max(left, key=gain)
        counts += pairs(left.pop(best))
        selected.append(best)
    return selected


@pytest.mark.parametrize("covered", [[], ["abababab", "hgfedc"]])
def test_the_queue_selects_what_a_full_search_does(sentences, covered):
    counts = sum(map(pairs, covered), Counter())
    expected = select_slowly(sentences, 25, counts)
    assert select_sentences(sentences, 25, covered).utterances == expected


def test_the_selection_of_fewer_sentences_is_the_beginning(sentences):
    more = select_sentences(sentences, 40).utterances
    assert select_sentences(sentences, 10).utterances == more[:10]
    assert sorted(select_sentences(sentences, 500).utterances) == sorted(sentences)


def test_more_pairs_are_covered_than_by_the_first_sentences(sentences):
    selection = select_sentences(sentences, 20)
    first = set().union(*map(pairs, list(sentences.values())[:20]))
    every = set().union(*map(pairs, sentences.values()))
    assert selection.pairs == len(every)
    assert len(first) < selection.covered <= len(every)


def test_sentences_that_differ_in_case_and_marks_are_one():
    texts = {"a": "Come in!", "b": "come in", "c": "Go out.", "d": "!", "e": "Stay."}
    assert list(new_sentences(texts, ["GO, out"])) == ["a", "e"]


def test_the_command(tmp_path, capsys):
    pytest.importorskip("espeakng_loader")
    text, out, held_out = (tmp_path / name for name in ("text", "out", "held_out"))
    words = ("The cat sat.", "The cat sat on it.", "Whose joy is this?", "A cat.")
    lines = [f"u{number} {line}\n" for number, line in enumerate(words)]
    text.write_text("".join(lines))
    held_out.mkdir()
    (held_out / "text").write_text("x Whose joy is this\n")
    options = ["--num", "2", "--g2p", "espeak_ng", "--language", "en-us"]
    main(["select-text", *map(str, (text, out)), *options, "--exclude", str(held_out)])
    selected = out.read_text().splitlines(keepends=True)
    assert len(selected) == 2 and set(selected) < {*lines[:2], lines[3]}
    assert "2 sentences with" in capsys.readouterr().out
