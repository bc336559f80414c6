"""The range of a speaker's fundamental frequency, measured on recordings."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from espnet_distill.data.audio import read_audio
from espnet_distill.errors import ConfigError
from espnet_distill.utils.quiet import stderr_suppressed

SAMPLE = 60  # recordings
LOWEST, HIGHEST = 60.0, 700.0  # Hz, of the search
FEWEST_FRAMES = 100  # voiced ones of 5 ms
FLOOR, CEILING = 0.75, 1.5
STEP = 10  # Hz


def measure_f0_range(recordings: Sequence[Path]) -> tuple[int, int]:
    """Return bounds in Hz for the search of F0 in recordings of one speaker.

    The bounds are 0.75 times the first and 1.5 times the third quartile of F0 in a wide
    search (De Looze and Hirst, Speech Prosody 2008), rounded outwards to 10 Hz. Quartiles
    are robust to octave errors of the wide search.

    Args:
        recordings: Audio files, of which up to 60 at equal distances are read.

    Raises:
        ConfigError: A file is no mono recording, or there is no voice in them.
    """
    places = np.linspace(0, len(recordings) - 1, min(SAMPLE, len(recordings)))
    sample = [recordings[round(place)] for place in places]
    voiced = np.concatenate([_voiced_f0(path) for path in sample])
    if len(voiced) < FEWEST_FRAMES:
        raise ConfigError(
            f"{sample[0]}: no voice in it and in {len(sample) - 1} others (F0 from "
            f"{LOWEST:.0f} to {HIGHEST:.0f} Hz); check the recordings"
        )
    first, third = np.quantile(voiced, (0.25, 0.75))
    lowest = int(FLOOR * first // STEP) * STEP
    highest = -int(-CEILING * third // STEP) * STEP
    return lowest, highest


def _voiced_f0(path: Path) -> np.ndarray:
    """Return F0 in Hz of the voiced frames (frames,) of a recording, by DIO."""
    with stderr_suppressed():
        import pyworld

    wave, rate = read_audio(path)
    f0, _ = pyworld.dio(wave.astype(np.float64), rate, f0_floor=LOWEST, f0_ceil=HIGHEST)
    return f0[f0 > 0]
