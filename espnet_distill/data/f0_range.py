"""The range of a speaker's fundamental frequency, measured on recordings."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from espnet_distill.data.audio import read_audio
from espnet_distill.data.fundamental import (
    HIGHEST,
    LOWEST,
    at_equal_distances,
    has_weak_fundamental,
    rectify,
    voiced_f0,
)
from espnet_distill.errors import ConfigError

SAMPLE = 60  # recordings
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
    sample = at_equal_distances(recordings, SAMPLE)
    read = rectify if has_weak_fundamental(recordings) else np.asarray
    waves = map(read_audio, sample)
    voiced = np.concatenate([voiced_f0(read(wave), rate) for wave, rate in waves])
    if len(voiced) < FEWEST_FRAMES:
        raise ConfigError(
            f"{sample[0]}: no voice in it and in {len(sample) - 1} others (F0 from "
            f"{LOWEST:.0f} to {HIGHEST:.0f} Hz); check the recordings"
        )
    first, third = np.quantile(voiced, (0.25, 0.75))
    lowest = int(FLOOR * first // STEP) * STEP
    highest = -int(-CEILING * third // STEP) * STEP
    return lowest, highest
