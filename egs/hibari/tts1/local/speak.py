#!/usr/bin/env python3
"""Let hibari-tts speak "<id> <sentence>" lines into an ESPnet data folder.

Its pauses are digital silence, whose log-mel is the floor of the logarithm: a few such
frames would rule the statistics. So the ends are trimmed and a noise floor is added.
"""

import os
import sys
from pathlib import Path

import librosa
import numpy as np
from hibari import SAMPLE_RATE, Hibari, write_wav
from tqdm import tqdm

NOISE = 1e-4  # -80 dB
MARGIN = SAMPLE_RATE // 20  # 50 ms are left at both ends


def as_recorded(speech: np.ndarray) -> np.ndarray:
    _, (start, end) = librosa.effects.trim(speech, top_db=40)
    speech = speech[max(0, start - MARGIN) : end + MARGIN]
    noise = np.random.default_rng(0).standard_normal(len(speech))
    return speech + NOISE * noise


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
                write_wav(
                    str(beside), as_recorded(voice(sentence, seed=0)), SAMPLE_RATE
                )
                os.replace(beside, wav)
            wav_scp.write(f"{name} {wav}\n")
            text.write(f"{line}\n")
            utt2spk.write(f"{name} hibari\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
