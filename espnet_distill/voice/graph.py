"""The graphs of a voice in ONNX Runtime."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path

import numpy as np

from .errors import ConfigError, summarize

Inputs = Mapping[str, np.ndarray]


def input_names(has_speakers: bool) -> set[str]:
    """Return the names of the inputs of ``voice.onnx``."""
    return {"input", "input_lengths", "scales"} | ({"sid"} if has_speakers else set())


def graph_inputs(
    ids: Sequence[int], scales: Sequence[float], speaker: int = 0
) -> Inputs:
    """Return the inputs of ``voice.onnx``, by name.

    Args:
        ids: Ids of a sentence, with padding.
        scales: ``noise_scale``, ``length_scale`` and ``noise_w``.
        speaker: Speaker id, of several.
    """
    return {
        "input": np.array([ids], np.int64),
        "input_lengths": np.array([len(ids)], np.int64),
        "scales": np.array(scales, np.float32),
        "sid": np.array([speaker], np.int64),
    }


class Graph:
    """An ONNX graph that was validated and loaded.

    Args:
        source: The file, or its content.
        inputs: The names of its inputs.
        optional: The names of inputs that it may have.
        threads: The number of threads.
        recorded: Bytes and SHA-256 of the file, if the voice has them.

    Raises:
        ConfigError: The file was changed, is no ONNX graph, or has other inputs.
    """

    def __init__(
        self,
        source: Path | bytes,
        inputs: Set[str],
        optional: Set[str] = frozenset(),
        *,
        threads: int = 1,
        recorded: tuple[int, str] | None = None,
    ):
        if recorded and hashlib.sha256(source.read_bytes()).hexdigest() != recorded[1]:
            raise ConfigError(
                f"{source}: was changed after the export; copy or export it again"
            )
        self.name = _name(source)
        self.session = open_session(source, threads)
        self.names = {item.name for item in self.session.get_inputs()}
        names = self.names - optional
        if names != inputs:
            raise ConfigError(
                f"{self.name}: its inputs are {', '.join(sorted(names))}, not "
                f"{', '.join(sorted(inputs))}; export it again"
            )

    def run(self, inputs: Inputs) -> list[np.ndarray]:
        """Return the outputs.

        Args:
            inputs: By name; those that the graph lacks are left out.

        Raises:
            ConfigError: The graph fails, or its first output is not finite.
        """
        try:
            given = {name: inputs[name] for name in self.names}
            outputs = self.session.run(None, given)
        except Exception as error:  # onnxruntime's exceptions have no common class
            raise ConfigError(f"{self.name}: {summarize(error)}") from error
        if not math.isfinite(outputs[0].sum()):
            raise ConfigError(f"{self.name}: its output is not finite; export it again")
        return outputs

    def synthesize(self, inputs: Inputs) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a waveform (T,) and, of a graph that has them, frames of each id (N,).

        Args:
            inputs: See :func:`graph_inputs`.
        """
        wave, *frames = self.run(inputs)
        return wave.reshape(-1), frames[0].reshape(-1) if frames else None

    def stream(self, inputs: Inputs) -> Iterator[np.ndarray]:
        """Yield the waveform (T,) in one piece."""
        yield self.synthesize(inputs)[0]


def require_whole(path: Path, recorded: tuple[int, str] | None) -> None:
    """Raise a ConfigError if a file is missing or not as long as it was exported."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; name the voice's whole folder")
    size = path.stat().st_size
    if recorded and size != recorded[0]:
        raise ConfigError(
            f"{path}: truncated or another file: {size} bytes, not {recorded[0]}; copy "
            "or export it again"
        )


def open_session(graph: Path | bytes, threads: int = 1):
    """Return an InferenceSession of a graph on the CPU.

    Args:
        graph: The file, or its content.
        threads: The number of threads.

    Raises:
        ConfigError: It is no ONNX graph, or onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(
            f"{_name(graph)}: needs onnxruntime; pip install onnxruntime ({error})"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    options.enable_mem_pattern = False  # memory that is planned for lengths seen before
    choices = {"providers": ["CPUExecutionProvider"], "enable_fallback": 0}
    source = graph if isinstance(graph, bytes) else str(graph)
    try:
        return onnxruntime.InferenceSession(source, options, **choices)
    except Exception as error:  # onnxruntime's exceptions have no common class
        raise ConfigError(
            f"{_name(graph)}: cannot be loaded: {summarize(error)}; copy or export it "
            "again"
        ) from error


def _name(source: Path | bytes) -> str:
    return "graph" if isinstance(source, bytes) else str(source)
