"""A corpus with LJSpeech's layout, made from a small one.

    python3 ljspeech_layout.py DATA OUT [--count N]

DATA is an ESPnet data folder (wav.scp, text); OUT gets LJSpeech-1.1 with metadata.csv
and wavs. ESPnet's data preparation holds 500 clips out, so that clips are repeated up
to N.
"""

import argparse
import os
from pathlib import Path

import librosa
import soundfile

RATE = 22050


def make(data: Path, out: Path, count: int = 520) -> Path:
    """Write LJSpeech-1.1 into a folder and return the folder."""
    texts, paths = (_read(data / name) for name in ("text", "wav.scp"))
    wavs = out / "LJSpeech-1.1" / "wavs"
    wavs.mkdir(parents=True)
    lines, written = [], []
    for number in range(count):
        key = sorted(texts)[number % len(texts)]
        name = f"LJ{number // 200 + 1:03}-{number % 200 + 1:04}"
        wav = wavs / f"{name}.wav"
        if number < len(texts):
            audio, _ = librosa.load(paths[key], sr=RATE)
            soundfile.write(wav, audio, RATE, subtype="PCM_16")
            written.append(wav)
        else:
            os.link(written[number % len(texts)], wav)
        lines.append(f"{name}|{texts[key]}|{texts[key]}\n")
    (wavs.parent / "metadata.csv").write_text("".join(lines), encoding="utf-8")
    return out


def _read(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split(maxsplit=1) for line in lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=520)
    make(**vars(parser.parse_args()))
