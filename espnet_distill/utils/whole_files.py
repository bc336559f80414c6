"""Tell whole files of a dump from those that lost their end."""

import math
from pathlib import Path

import numpy as np


def is_whole_array(path: Path) -> bool:
    """Tell whether a `.npy` file has the numbers that its header announces."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            is_first = version == (1, 0)
            read = np.lib.format.read_array_header_1_0
            read = read if is_first else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
        except ValueError:
            return False
        end = file.tell() + math.prod(shape) * dtype.itemsize
    return np.issubdtype(dtype, np.number) and path.stat().st_size == end


def is_whole_wav(path: Path) -> bool:
    """Tell whether a WAV file is as long as its header says."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        kind, size = file.read(4), int.from_bytes(file.read(4), "little")
    return kind == b"RIFF" and path.stat().st_size == size + 8
