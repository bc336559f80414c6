"""16-bit PCM, and the header of WAV files."""

import struct

import numpy as np

BYTES = 2  # of a sample
HEADER = 36  # bytes that a RIFF header counts before the samples
UNKNOWN = 0xFFFFFFFF - HEADER  # bytes of a stream, whose end is not known at its begin


def to_pcm(wave: np.ndarray) -> bytes:
    """Return a waveform (T,) in [-1, 1] as 16-bit PCM; what exceeds it is clipped."""
    return (wave * 32767).round().clip(-32768, 32767).astype("<i2").tobytes()


def wav_header(sample_rate: int, size: int = UNKNOWN) -> bytes:
    """Return the header of a mono WAV file with so many bytes of 16-bit PCM.

    Of 4 GiB or more, it is that of a stream.
    """
    size = min(size, UNKNOWN)
    form = struct.pack("<4sI4s", b"RIFF", HEADER + size, b"WAVE")
    values = (16, 1, 1, sample_rate, BYTES * sample_rate, BYTES, 8 * BYTES)
    return form + struct.pack("<4sIHHIIHH4sI", b"fmt ", *values, b"data", size)
