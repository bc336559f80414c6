"""Compare the phonemes of texts: this package, ESPnet's front end for VITS, Piper.

Prints how many sentences have equal phonemes, and texts that ESPnet's front end cuts
off. Piper (GPL) runs in a Python of its own:

    python3 -m venv piper && piper/bin/pip install piper-tts
    python3 benchmarks/phonemes.py metadata.csv --first 200 --piper piper/bin/python
"""

import argparse
import json
import subprocess
from pathlib import Path

from espnet_distill.data.metadata import lines_of
from espnet_distill.voice.espeak import provide_espeak
from espnet_distill.voice.normalization import normalize
from espnet_distill.voice.phonemes import GLIDE, SPACE, phonemize

PIPER = """
import json, sys
from piper.phonemize_espeak import EspeakPhonemizer
phonemizer = EspeakPhonemizer(*filter(None, [sys.argv[2]]))
for text in json.load(sys.stdin):
    sentences = phonemizer.phonemize(sys.argv[1], text)
    print(json.dumps(" ".join("".join(sentence) for sentence in sentences).strip()))
"""


def read_sentences(path: Path) -> list[str]:
    """Read `id|text|text` or `id text` lines."""
    lines = [line.strip() for _, line in lines_of(path)]
    return [
        line.split("|")[-1] if "|" in line else line.split(maxsplit=1)[1]
        for line in lines
    ]


def as_text(tokens: list[str]) -> str:
    return "".join(tokens).replace(SPACE, " ")


def by_piper(python: str, texts: list[str], voice: str, data: str) -> list[str]:
    done = subprocess.run(
        [python, "-c", PIPER, voice, data],
        input=json.dumps(texts), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("--first", type=int)
    parser.add_argument("--piper", metavar="PYTHON", help="a Python that has piper-tts")
    parser.add_argument("--piper-data", default="", help="espeak-ng-data for Piper")
    parser.add_argument("--raw", action="store_true", help="without normalization")
    args = parser.parse_args()
    provide_espeak()
    from espnet2.text.phoneme_tokenizer import PhonemeTokenizer

    espnet = PhonemeTokenizer("espeak_ng_english_us_vits")
    raw = read_sentences(args.text)[: args.first]
    texts = raw if args.raw else [normalize(text, "en") for text in raw]
    ours = [as_text(phonemize(text)) for text in texts]
    reference = [as_text(espnet.text2tokens(text)) for text in texts]
    print(f"{len(texts)} sentences, {sum(map(str.__ne__, raw, texts))} normalized")
    print(f"equal to ESPnet: {sum(map(str.__eq__, ours, reference))}")
    phonemizer, separator = espnet.g2p.phonemizer, espnet.g2p.separator
    for name, lines in (("raw text", raw), ("normalized text", texts)):
        cut = [
            line
            for line in lines
            if len(phonemizer.phonemize([line], separator=separator, strip=True)) > 1
        ]
        print(f"cut off by ESPnet, {name}: {len(cut)}", *cut[:3], sep="\n  ")
    if args.piper:
        piper = by_piper(args.piper, texts, "en-us", args.piper_data)
        without = [GLIDE.sub(r"\1", text) for text in piper]
        print(f"equal to Piper: {sum(map(str.__eq__, ours, piper))}")
        print(
            f"equal to Piper without ʲ after i: {sum(map(str.__eq__, ours, without))}"
        )


if __name__ == "__main__":
    main()
