"""Detect truncated files of a dump."""

import math
from pathlib import Path

import numpy as np


def is_whole_array(path: Path) -> bool:
    """Return True if a `.npy` file has as many numbers as its header announces."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read_header = np.lib.format.read_array_header_2_0
            if version == (1, 0):
                read_header = np.lib.format.read_array_header_1_0
            shape, _, dtype = read_header(file)
        except ValueError:
            return False
        end = file.tell() + math.prod(shape) * dtype.itemsize
    return np.issubdtype(dtype, np.number) and path.stat().st_size == end


def is_whole_wav(path: Path) -> bool:
    """Return True if a WAV file is as long as its header announces."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        kind, size = file.read(4), int.from_bytes(file.read(4), "little")
    return kind == b"RIFF" and path.stat().st_size == size + 8
