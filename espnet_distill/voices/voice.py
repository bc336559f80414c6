"""A voice folder: what `export` writes, and its synthesis by ONNX Runtime."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from espnet_distill.errors import ConfigError, summarize
from espnet_distill.utils.checksums import checksum
from espnet_distill.utils.config_values import as_mapping, as_whole
from espnet_distill.utils.files import read_json
from espnet_distill.voices.phoneme_ids import padded

if TYPE_CHECKING:
    import numpy as np

FORMAT_VERSION = 1
GRAPH, SETTINGS, TOKENS, CARD = (
    *("voice.onnx", "voice.onnx.json", "tokens.txt"),
    "MODEL_CARD.md",
)


class Voice:
    """A voice on disk.

    Args:
        folder: The folder, whose files are checked.

    Attributes:
        settings: Content of voice.onnx.json.

    Raises:
        ConfigError: The folder lacks a file, has a truncated or changed one, or is of a
            newer version.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        path = self.folder / SETTINGS
        self.settings = as_mapping(read_json(path), str(path))
        version = as_whole(
            self.settings.get("format_version"), f"{path}: format_version"
        )
        if version > FORMAT_VERSION:
            raise ConfigError(
                f"{path}: format_version: {version} is newer than {FORMAT_VERSION}, the "
                "newest that this version reads; update espnet_distill"
            )
        files = as_mapping(self.settings.get("files"), f"{path}: files")
        for name in (GRAPH, TOKENS):
            recorded = as_mapping(files.get(name), f"{path}: files: {name}")
            _require_file(self.folder / name, recorded)

    @property
    def rate(self) -> int:
        """Sampling rate in Hz."""
        return self.settings["audio"]["sample_rate"]

    @cached_property
    def session(self):
        """The graph in ONNX Runtime, on one thread."""
        return session(str(self.folder / GRAPH))

    def synthesize(
        self,
        tokens: Sequence[int],
        noise_scale: float | None = None,
        length_scale: float = 1.0,
        speaker: int = 0,
    ) -> "np.ndarray":
        """Synthesize a waveform (T,).

        Args:
            tokens: Token ids of a sentence, without padding and end.
            noise_scale: Scale of the noise; None is that of the training.
            length_scale: Factor of the durations.
            speaker: Speaker id, of several.

        Raises:
            ConfigError: There are no tokens.
        """
        if not len(tokens):
            raise ConfigError("text: nothing to synthesize; give words")
        if noise_scale is None:
            noise_scale = self.settings["inference"]["noise_scale"]
        return run(self.session, padded(tokens), noise_scale, length_scale, speaker)[0]


def _require_file(path: Path, recorded: dict) -> None:
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; export the voice again")
    size = path.stat().st_size
    if size != recorded.get("bytes"):
        raise ConfigError(
            f"{path}: has {size} bytes instead of {recorded.get('bytes')}: truncated, or "
            "not the file that was exported; export the voice again"
        )
    if checksum(path) != recorded.get("sha256"):
        raise ConfigError(
            f"{path}: was changed after the export; export the voice again"
        )


def session(graph: str | bytes):
    """Return an ONNX Runtime session of a graph, on one thread.

    Raises:
        ConfigError: The graph is no ONNX model.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime raises a type for each kind of damage
        name = graph if isinstance(graph, str) else "graph"
        raise ConfigError(
            f"{name}: ONNX Runtime cannot load it: {summarize(error, 200)}"
        ) from error


def run(
    session, ids: Sequence[int], noise_scale: float, length_scale: float, speaker: int
) -> tuple["np.ndarray", "np.ndarray"]:
    """Run a graph on ids with padding; return a waveform (T,) and frames (N,)."""
    import numpy as np

    inputs = {
        "input": np.array([ids], np.int64),
        "input_lengths": np.array([len(ids)], np.int64),
        "scales": np.array([noise_scale, length_scale, 0.8], np.float32),
        "sid": np.array([speaker], np.int64),
    }
    names = [one.name for one in session.get_inputs()]
    wave, frames = session.run(None, {name: inputs[name] for name in names})
    return wave[0, 0], frames[0]
