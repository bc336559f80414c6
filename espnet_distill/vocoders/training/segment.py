"""Cut aligned segments from an utterance's mel or latents, F0 and waveforms."""

import zlib

import numpy as np

INPUTS = ("mel", "latents")
WAVES = ("teacher_wave", "speech", "free_phase")


class Segment:
    """A preprocessor of ESPnet's data loader: cut or pad to a number of frames.

    In training the segment is random; else it depends on the utterance's name alone.

    Args:
        frames: Length of the segment.
        hop_length: Samples a frame.
        train: Whether the segment is random.
    """

    def __init__(self, frames: int, hop_length: int, train: bool):
        self.frames, self.hop_length, self.train = frames, hop_length, train

    def __call__(self, utterance: str, data: dict) -> dict:
        """Cut `mel` or `latents` (T, C), `f0` (T,), and waveforms (samples,)."""
        (name,) = (name for name in INPUTS if name in data)
        first = self._first(utterance, len(data[name]) - self.frames)
        cut = {name: _fit(data[name][first:], self.frames, mode="edge")}
        cut["f0"] = _fit(data["f0"][first:], self.frames, mode="constant")
        for name in WAVES:
            if name in data:
                wave = data[name][first * self.hop_length :]
                length = self.frames * self.hop_length
                cut[name] = _fit(wave, length, mode="constant")
        return {**data, **cut}

    def _first(self, utterance: str, spare: int) -> int:
        if spare <= 0:
            return 0
        if self.train:
            return np.random.randint(spare + 1)
        return zlib.crc32(utterance.encode()) % (spare + 1)


def _fit(array: np.ndarray, length: int, mode: str) -> np.ndarray:
    """Cut or pad an array at the end to `length` along its first axis."""
    array = array[:length]
    padding = [(0, length - len(array))] + [(0, 0)] * (array.ndim - 1)
    return np.pad(array, padding, mode=mode).astype(np.float32)
