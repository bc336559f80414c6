#!/usr/bin/env python3
"""Let hibari-tts speak "<id> <sentence>" lines into an ESPnet data folder."""

import os
import sys
from pathlib import Path

from hibari import SAMPLE_RATE, Hibari, write_wav
from tqdm import tqdm


def main(prompts: Path, wavs: Path, out: Path):
    voice = Hibari()
    wavs.mkdir(parents=True, exist_ok=True)
    lines = prompts.read_text(encoding="utf-8").splitlines()
    with (
        open(out / "wav.scp", "w", encoding="utf-8") as wav_scp,
        open(out / "text", "w", encoding="utf-8") as text,
        open(out / "utt2spk", "w", encoding="utf-8") as utt2spk,
    ):
        for line in tqdm(lines, desc="hibari speaks", unit="sentence"):
            name, sentence = line.split(maxsplit=1)
            wav = wavs / f"{name}.wav"
            if not wav.exists():
                beside = wav.with_suffix(".part.wav")
                write_wav(str(beside), voice(sentence, seed=0), SAMPLE_RATE)
                os.replace(beside, wav)
            wav_scp.write(f"{name} {wav}\n")
            text.write(f"{line}\n")
            utt2spk.write(f"{name} hibari\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
