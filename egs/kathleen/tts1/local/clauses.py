"""Clauses of about a prompt's length, for pseudo-labels: <utterance> <words>.

From files whose lines end with a text after a bar, such as LJSpeech's metadata.csv, or
with --quoted from the quoted text of such lines, such as the examples in WordNet's
data.noun, data.verb, data.adj and data.adv.
"""

import argparse
import random
import re
from pathlib import Path

from espnet_distill.data.metadata import lines_of

WORDS = range(4, 15)


def clauses(text: str) -> list[str]:
    """Split a text at its punctuation."""
    parts = (part.strip(" '\"-") for part in re.split(r"[.,;:?!()\[\]\"]+", text))
    return [part for part in parts if len(part.split()) in WORDS and part.isascii()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", type=Path, nargs="+")
    parser.add_argument("text", type=Path)
    parser.add_argument("--quoted", action="store_true")
    parser.add_argument("--count", type=int, default=3000)
    args = parser.parse_args()
    lines = (line for path in args.sources for _, line in lines_of(path))
    texts = (line.rpartition("|")[2] for line in lines)
    if args.quoted:
        texts = (quoted for text in texts for quoted in re.findall('"([^"]+)"', text))
    found = sorted({clause for text in texts for clause in clauses(text)})
    chosen = random.Random(0).sample(found, min(args.count, len(found)))
    args.text.write_text(
        "".join(f"more_{i:05} {clause}.\n" for i, clause in enumerate(chosen)),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
