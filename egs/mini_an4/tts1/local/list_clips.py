#!/usr/bin/env python3
"""List one half of AN4 as wav.scp, text and utt2spk, its audio written as wav."""

import sys
from pathlib import Path

import soundfile

from espnet_distill.data.list_clips import write_data_folder
from espnet_distill.data.metadata import read_transcription

FOLDERS = {"train": "an4_clstk", "test": "an4test_clstk"}


def main(root: Path, half: str, out: Path):
    rows = []
    for line in read_transcription(root / "etc" / f"an4_{half}.transcription"):
        prefix, speaker, suffix = line.utterance.split("-")
        sphere = root / "wav" / FOLDERS[half] / speaker / f"{line.utterance}.sph"
        wav = sphere.with_suffix(".wav")
        soundfile.write(wav, *soundfile.read(sphere))
        rows.append((f"{speaker}-{prefix}-{suffix}", wav, line.text, speaker))
    write_data_folder(out, rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
