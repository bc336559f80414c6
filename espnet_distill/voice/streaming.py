"""The two graphs of a voice that synthesize a sentence in pieces."""

from collections.abc import Callable, Iterator

import numpy as np

from .graph import Graph, Inputs

ACOUSTIC, VOCODER = "acoustic.onnx", "vocoder.onnx"
REQUIRED = {"mel"}  # inputs of vocoder.onnx
STATE = {"noise_scale", "first", "anchor", "passed"}  # inputs that it may have


class StreamingGraphs:
    """``acoustic.onnx``, ids to log-mels, and ``vocoder.onnx``, those to a waveform.

    Args:
        acoustic: Graph with the inputs of ``voice.onnx``.
        vocoder: Graph with the inputs in REQUIRED and STATE.
        context: Frames to either side of a piece.
        chunk: Frames of a piece.
    """

    def __init__(self, acoustic: Graph, vocoder: Graph, context: int, chunk: int):
        self.acoustic, self.vocoder = acoustic, vocoder
        self.context, self.chunk = context, chunk

    def stream(self, inputs: Inputs) -> Iterator[np.ndarray]:
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
