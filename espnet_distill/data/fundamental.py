"""Voices with a weak fundamental, of which DIO finds the second harmonic.

DIO (Morise, Kawahara, Katayose, AES 2009) looks for the fundamental component, which a
high-pass filter of the recordings has removed from low voices. The rectified waveform has
a component at the same period.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from espnet_distill.data.audio import read_audio
from espnet_distill.utils.quiet import stderr_suppressed

SAMPLE = 20  # recordings
LOWEST, HIGHEST = 60.0, 700.0  # Hz, of the search
RATIO = 0.75  # of the medians, below which they are harmonics of each other


def rectify(wave):
    """Return the magnitude of a waveform (T,) without its mean; an array or a tensor."""
    magnitude = abs(wave)
    return magnitude - magnitude.mean()


def has_weak_fundamental(recordings: Sequence[Path]) -> bool:
    """Return True if rectified recordings have a far lower median F0.

    Args:
        recordings: Audio files, of which up to 20 at equal distances are read.

    Raises:
        ConfigError: A file is no mono recording.
    """
    plain, rectified = [], []
    for path in at_equal_distances(recordings, SAMPLE):
        wave, rate = read_audio(path)
        plain.append(voiced_f0(wave, rate))
        rectified.append(voiced_f0(rectify(wave), rate))
    medians = [
        np.median(np.concatenate(f0)) for f0 in (plain, rectified) if any(map(len, f0))
    ]
    return len(medians) == 2 and medians[1] < RATIO * medians[0]


def at_equal_distances(items: Sequence, number: int) -> list:
    """Return up to `number` items at equal distances."""
    places = np.linspace(0, len(items) - 1, min(number, len(items)))
    return [items[round(place)] for place in places]


def voiced_f0(wave: np.ndarray, rate: int) -> np.ndarray:
    """Return F0 in Hz of the voiced frames (frames,) of a waveform (T,), by DIO."""
    with stderr_suppressed():
        import pyworld

    f0, _ = pyworld.dio(wave.astype(np.float64), rate, f0_floor=LOWEST, f0_ceil=HIGHEST)
    return f0[f0 > 0]
