#!/usr/bin/env python3
"""List one half of AN4 as wav.scp, text and utt2spk, its audio written as wav."""

import re
import sys
from pathlib import Path

import soundfile

FOLDERS = {"train": "an4_clstk", "test": "an4test_clstk"}


def main(root: Path, half: str, out: Path):
    transcripts = (root / "etc" / f"an4_{half}.transcription").read_text("utf-8")
    clips = []
    for words, source in re.findall(r"(?:<s>)?(.*?)(?:</s>)? \((.*)\)", transcripts):
        prefix, speaker, suffix = source.split("-")
        sphere = root / "wav" / FOLDERS[half] / speaker / f"{source}.sph"
        clips.append((f"{speaker}-{prefix}-{suffix}", speaker, words.strip(), sphere))
    with (
        open(out / "wav.scp", "w", encoding="utf-8") as wav_scp,
        open(out / "text", "w", encoding="utf-8") as text,
        open(out / "utt2spk", "w", encoding="utf-8") as utt2spk,
    ):
        for name, speaker, words, sphere in sorted(clips):
            wav = sphere.with_suffix(".wav")
            soundfile.write(wav, *soundfile.read(sphere))
            wav_scp.write(f"{name} {wav}\n")
            text.write(f"{name} {words}\n")
            utt2spk.write(f"{name} {speaker}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
