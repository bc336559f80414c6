"""Clauses of about a prompt's length, for the teacher to read: <utterance> <words>.

From the text of a corpus that has a line an utterance, its last field the words, such
as LJSpeech's metadata.csv.
"""

import argparse
import random
import re
from pathlib import Path

WORDS = range(4, 15)


def clauses(line: str) -> list[str]:
    """Split what follows the last bar at its punctuation."""
    text = line.rpartition("|")[2]
    parts = (part.strip(" '\"-") for part in re.split(r"[.,;:?!()\[\]\"]+", text))
    return [part for part in parts if len(part.split()) in WORDS and part.isascii()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--unheard", type=Path, help="file of others, to test with")
    parser.add_argument("--unheard_count", type=int, default=200)
    args = parser.parse_args()
    lines = args.corpus.read_text(encoding="utf-8").splitlines()
    found = sorted({clause for line in lines for clause in clauses(line)})
    chosen = draw(found, args.count, seed=0)
    write(args.text, "more", chosen)
    if args.unheard:
        others = sorted(set(found) - set(chosen))
        write(args.unheard, "unheard", draw(others, args.unheard_count, seed=1))


def draw(found: list[str], count: int, seed: int) -> list[str]:
    return random.Random(seed).sample(found, min(count, len(found)))


def write(path: Path, name: str, chosen: list[str]) -> None:
    lines = [f"{name}_{i:05} {clause}.\n" for i, clause in enumerate(chosen)]
    path.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
