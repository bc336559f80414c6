#!/usr/bin/env python3
"""List the clips of a Kathleen folder as wav.scp, text and utt2spk, sorted by id.

Two layouts: LJSpeech's (metadata.csv, wavs/) and the repository's own
(data/<id>_<unix time>.{wav,txt}, several takes a prompt: the last one is the one
that the reader kept).
"""

import sys
from pathlib import Path


def ljspeech_clips(folder: Path):
    for line in (folder / "metadata.csv").read_text(encoding="utf-8").splitlines():
        name, *_, text = line.split("|")
        audio = next((folder / "wavs").glob(f"{name}.*"), None)
        if audio is None:
            sys.exit(f"{folder}/metadata.csv: {name} has no audio in wavs/")
        yield name, audio, text


def repository_clips(folder: Path):
    last_takes = {}
    for transcript in sorted((folder / "data").glob("*.txt")):
        last_takes[transcript.stem.rpartition("_")[0]] = transcript
    for name, transcript in last_takes.items():
        yield name, transcript.with_suffix(".wav"), transcript.read_text("utf-8")


def main(folder: Path, out: Path):
    if (folder / "metadata.csv").is_file():
        clips = ljspeech_clips(folder)
    elif (folder / "data").is_dir():
        clips = repository_clips(folder)
    else:
        sys.exit(f"{folder}: neither metadata.csv nor data/ is in it")
    with (
        open(out / "wav.scp", "w", encoding="utf-8") as wav_scp,
        open(out / "text", "w", encoding="utf-8") as texts,
        open(out / "utt2spk", "w", encoding="utf-8") as utt2spk,
    ):
        for name, audio, text in sorted(clips):
            wav_scp.write(f"{name} {audio.resolve()}\n")
            texts.write(f"{name} {' '.join(text.split())}\n")
            utt2spk.write(f"{name} kathleen\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
