"""Equalize the loudness of clips by ITU-R BS.1770."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torchaudio import functional

LOUDNESS = -23.0  # LUFS, that of EBU R 128


PEAK = 0.95


BLOCK = 0.4  # seconds that BS.1770 measures at least


HEADROOM = 0.25


def equalize(clips: Sequence[tuple[np.ndarray, int]]) -> list[np.ndarray]:
    """Scale clips to the same loudness: LOUDNESS, or less if one would clip.

    Silence is left as it is.

    Args:
        clips: Waveforms, (samples,), and their sampling rates.
    """
    loudness = [measure_loudness(*clip) for clip in clips]
    gains = [
        10 ** ((LOUDNESS - level) / 20) if math.isfinite(level) else 1.0
        for level in loudness
    ]
    peak = max(gain * np.abs(wave).max() for gain, (wave, _) in zip(gains, clips))
    common = min(1.0, PEAK / peak) if peak else 1.0
    return [common * gain * wave for gain, (wave, _) in zip(gains, clips)]


def measure_loudness(wave: np.ndarray, rate: int) -> float:
    """Return the loudness in LUFS, -inf of silence.

    It is measured at a peak of HEADROOM, since torchaudio's filters clip at 1. A clip
    under BLOCK is repeated up to that length.

    Args:
        wave: Samples, (samples,).
        rate: Sampling rate in Hz.
    """
    peak = np.abs(wave).max()
    if not peak:
        return -math.inf
    wave = np.resize(wave, max(len(wave), math.ceil(BLOCK * rate) + 1))
    scaled = torch.from_numpy(wave * (HEADROOM / peak))
    loudness = functional.loudness(scaled[None], rate).item()
    return loudness + 20 * math.log10(peak / HEADROOM)
