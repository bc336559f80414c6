"""Clauses of about a prompt's length, for the teacher to read: <utterance> <words>.

From the text of a corpus that has a line an utterance, its last field the words, such
as LJSpeech's metadata.csv.
"""

import argparse
import random
import re
from pathlib import Path

from espnet_distill.data.metadata import lines_of

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
    args = parser.parse_args()
    lines = lines_of(args.corpus)
    found = sorted({clause for _, line in lines for clause in clauses(line)})
    chosen = random.Random(0).sample(found, min(args.count, len(found)))
    args.text.write_text(
        "".join(f"more_{i:05} {clause}.\n" for i, clause in enumerate(chosen)),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
