"""The two graphs of a voice that synthesize a sentence in pieces."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from .config import VoiceConfig
from .graph import Graph

ACOUSTIC, VOCODER = "acoustic.onnx", "vocoder.onnx"
STATE = {"noise_scale", "first", "anchor", "passed"}


class StreamingGraphs:
    """``acoustic.onnx``, ids to log-mels, and ``vocoder.onnx``, those to a waveform.

    Args:
        folder: The voice's.
        config: The voice's.
        inputs: The names of the inputs of ``voice.onnx``.
        threads: The number of threads.

    Raises:
        ConfigError: A graph was changed, or has other inputs.
    """

    def __init__(
        self, folder: Path, config: VoiceConfig, inputs: set[str], threads: int
    ):
        self.context, self.chunk = config.streaming
        paths = [folder / name for name in (ACOUSTIC, VOCODER)]
        sums = [config.checksums.get(path.name) for path in paths]
        self.acoustic = Graph(paths[0], sums[0], threads, inputs)
        self.vocoder = Graph(paths[1], sums[1], threads, {"mel"}, STATE)

    def stream(self, inputs: Mapping[str, np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the waveform of a sentence in pieces (T,).

        Args:
            inputs: Those of ``voice.onnx``.
        """
        mels, *_ = self.acoustic.run(inputs)
        noise_scale = inputs["scales"][:1]
        yield from synthesize_pieces(
            self.vocoder.run, mels, noise_scale, self.context, self.chunk
        )


def synthesize_pieces(
    run: Callable[[dict[str, np.ndarray]], list[np.ndarray]],
    mels: np.ndarray,
    noise_scale: np.ndarray,
    context: int,
    chunk: int,
) -> Iterator[np.ndarray]:
    """Yield the waveform of log-mels in pieces (T,).

    A piece is computed with frames of context to either side, and with the cycles of F0
    that have passed before it.

    Args:
        run: ``vocoder.onnx``: inputs by name to outputs.
        mels: Log-mels (1, frames, n_mels).
        noise_scale: Scale of the noise (1,).
        context: Frames to either side of a piece.
        chunk: Frames of a piece.
    """
    passed, count = np.zeros(1), mels.shape[1]
    for start in range(0, count, chunk):
        end = min(start + chunk, count)
        first = max(start - context, 0)
        mel = mels[:, first : end + context]
        state = {
            "mel": mel,
            "noise_scale": noise_scale,
            "first": np.array([first]),
            "anchor": np.array([start - first]),
            "passed": passed,
        }
        wave, *cycles = run(state)
        hop = wave.size // mel.shape[1]
        yield wave.reshape(-1)[(start - first) * hop : (end - first) * hop]
        if cycles:
            passed = cycles[0][end - first : end - first + 1]
