"""The graph of a voice in ONNX Runtime."""

import hashlib
import math
from collections.abc import Mapping, Set
from pathlib import Path

import numpy as np

from .errors import ConfigError, summarize


class Graph:
    """An ONNX file that was validated and loaded.

    Args:
        path: The file.
        recorded: Its bytes and SHA-256, if the voice has them.
        threads: The number of threads.
        inputs: The names of its inputs.
        optional: The names of inputs that it may have.

    Raises:
        ConfigError: The file was changed, is no ONNX graph, or has other inputs.
    """

    def __init__(
        self,
        path: Path,
        recorded: tuple[int, str] | None,
        threads: int,
        inputs: set[str],
        optional: Set[str] = frozenset(),
    ):
        if recorded and hashlib.sha256(path.read_bytes()).hexdigest() != recorded[1]:
            raise ConfigError(
                f"{path}: was changed after the export; copy or export it again"
            )
        self.path = path
        self.session, self.names = _load(path, threads)
        names = self.names - optional
        if names != inputs:
            raise ConfigError(
                f"{path}: its inputs are {', '.join(sorted(names))}, not "
                f"{', '.join(sorted(inputs))}; export it again"
            )

    def run(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
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
            raise ConfigError(f"{self.path}: {summarize(error)}") from error
        if not math.isfinite(outputs[0].sum()):
            raise ConfigError(f"{self.path}: its output is not finite; export it again")
        return outputs


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


def _load(path: Path, threads: int):
    """Return an InferenceSession and the names of its inputs."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(
            f"{path}: needs onnxruntime; pip install onnxruntime ({error})"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    choices = {"providers": ["CPUExecutionProvider"], "enable_fallback": 0}
    try:
        session = onnxruntime.InferenceSession(str(path), options, **choices)
        return session, {item.name for item in session.get_inputs()}
    except Exception as error:  # onnxruntime's exceptions have no common class
        fault = f"{path}: cannot be loaded: {summarize(error)}; copy or export it again"
        raise ConfigError(fault) from error
