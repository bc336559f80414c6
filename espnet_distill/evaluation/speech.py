"""Gather the speech that is compared into one folder to listen to."""

import os
from pathlib import Path

import soundfile


def copy_speech(
    folder: Path, sources: dict[str, dict[str, Path]]
) -> dict[str, dict[str, Path]]:
    """Copy ``sources[row][utt]`` to ``folder/<row>/<utt>.wav``, 16 bits a sample.

    Returns the copies, by row and utterance.
    """
    return {
        row: {utt: _copy(wav, folder / row / f"{utt}.wav") for utt, wav in wavs.items()}
        for row, wavs in sources.items()
    }


def _copy(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_suffix(".tmp")
    wave, rate = soundfile.read(source, dtype="int16")
    soundfile.write(beside, wave, rate, "PCM_16", format="WAV")
    os.replace(beside, target)
    return target
