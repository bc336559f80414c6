#!/usr/bin/env python3
"""Synthesize lines `<id> <sentence>` with hibari-tts into an ESPnet data folder.

Pauses of hibari-tts are digital silence, whose log-mel is the floor of the logarithm: a
few such frames would dominate the statistics. Therefore the ends are trimmed, and noise
is added.
"""

import os
import sys
from pathlib import Path

import librosa
import numpy as np
from hibari import SAMPLE_RATE, Hibari, write_wav
from tqdm import tqdm

from espnet_distill.data.list_clips import write_data_folder
from espnet_distill.data.metadata import read_prompts
from espnet_distill.utils.checksums import checksum_of

NOISE = 1e-4  # -80 dB
MARGIN = SAMPLE_RATE // 20  # 50 ms are left at both ends


def trim_and_add_noise(speech: np.ndarray) -> np.ndarray:
    """Return a waveform (samples,) with trimmed ends and a noise floor."""
    _, (start, end) = librosa.effects.trim(speech, top_db=40)
    speech = speech[max(0, start - MARGIN) : end + MARGIN]
    noise = np.random.default_rng(0).standard_normal(len(speech))
    return speech + NOISE * noise


def main(prompts: Path, wavs: Path, out: Path):
    voice = Hibari()
    wavs.mkdir(parents=True, exist_ok=True)
    rows = []
    for line in tqdm(read_prompts(prompts), desc="hibari-tts", unit="sentence"):
        wav = wavs / f"{line.utterance}_{checksum_of([line.text])[:12]}.wav"
        if not wav.exists():
            beside = wav.with_suffix(".part.wav")
            speech = trim_and_add_noise(voice(line.text, seed=0))
            write_wav(str(beside), speech, SAMPLE_RATE)
            os.replace(beside, wav)
        rows.append((line.utterance, wav, line.text, "hibari"))
    write_data_folder(out, rows)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
