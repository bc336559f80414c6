"""A voice folder: what `export` writes, and its synthesis by ONNX Runtime."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from espnet_distill.errors import ConfigError, summarize
from espnet_distill.utils.checksums import checksum
from espnet_distill.utils.config_values import as_mapping, as_whole
from espnet_distill.utils.files import read_json
from espnet_distill.voice.config import FORMAT_VERSION
from espnet_distill.voice.streaming import ACOUSTIC, VOCODER, synthesize_pieces
from espnet_distill.voice.voice import GRAPH
from espnet_distill.voices.phoneme_ids import padded

if TYPE_CHECKING:
    import numpy as np

SETTINGS, TOKENS, CARD = f"{GRAPH}.json", "tokens.txt", "MODEL_CARD.md"
CHUNK = 32  # frames of a piece


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
        streamed = (ACOUSTIC, VOCODER) * ("streaming" in self.settings)
        for name in (GRAPH, TOKENS, *streamed):
            recorded = as_mapping(files.get(name), f"{path}: files: {name}")
            _require_file(self.folder / name, recorded)

    @property
    def rate(self) -> int:
        """Sampling rate in Hz."""
        return self.settings["audio"]["sample_rate"]

    @cached_property
    def sessions(self) -> "Sessions":
        """The graphs in ONNX Runtime."""
        streaming = self.settings.get("streaming")
        names = {"voice": GRAPH}
        if streaming:
            names |= {"acoustic": ACOUSTIC, "vocoder": VOCODER}
        opened = {one: session(str(self.folder / of)) for one, of in names.items()}
        return Sessions(**opened, **(streaming or {}))

    def synthesize(self, tokens: Sequence[int], **options) -> "np.ndarray":
        """Synthesize a waveform (T,).

        Args:
            tokens: Token ids of a sentence, without padding and end.
            options: See :class:`Inputs`.

        Raises:
            ConfigError: There are no tokens.
        """
        return self.sessions.synthesize(self._inputs(tokens, options))[0]

    def stream(self, tokens: Sequence[int], **options) -> Iterator["np.ndarray"]:
        """Yield the waveform of `synthesize` in pieces.

        Raises:
            ConfigError: There are no tokens, or the voice has no graphs for it.
        """
        if "streaming" not in self.settings:
            raise ConfigError(
                f"{self.folder}: has no {ACOUSTIC}; export it with --streaming"
            )
        return self.sessions.stream(self._inputs(tokens, options))

    def _inputs(self, tokens: Sequence[int], options: dict) -> "Inputs":
        if not len(tokens):
            raise ConfigError("text: nothing to synthesize; give words")
        usual = {"noise_scale": self.settings["inference"]["noise_scale"]}
        return Inputs(padded(tokens), **(usual | options))


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


@dataclass(frozen=True)
class Inputs:
    """The inputs of a voice.

    Attributes:
        ids: Ids with padding.
        noise_scale: Scale of the noise.
        length_scale: Factor of the durations.
        speaker: Speaker id, of several.
    """

    ids: Sequence[int]
    noise_scale: float = 0.667
    length_scale: float = 1.0
    speaker: int = 0

    def of(self, session) -> dict[str, "np.ndarray"]:
        """Return the inputs that a graph has, by name."""
        import numpy as np

        scales = (self.noise_scale, self.length_scale, 0.8)
        inputs = {
            "input": np.array([self.ids], np.int64),
            "input_lengths": np.array([len(self.ids)], np.int64),
            "scales": np.array(scales, np.float32),
            "sid": np.array([self.speaker], np.int64),
        }
        return {one.name: inputs[one.name] for one in session.get_inputs()}


@dataclass(frozen=True)
class Sessions:
    """ONNX Runtime sessions of a voice.

    Attributes:
        voice: Of voice.onnx, or None.
        acoustic: Of acoustic.onnx, or None.
        vocoder: Of vocoder.onnx, or None.
        context: Frames to either side of a piece.
        chunk: Frames of a piece.
    """

    voice: Any = None
    acoustic: Any = None
    vocoder: Any = None
    context: int = 0
    chunk: int = CHUNK

    def synthesize(self, inputs: Inputs) -> tuple["np.ndarray", "np.ndarray"]:
        """Return a waveform (T,) and the frames of each id (N,).

        Without voice.onnx, pieces are joined.
        """
        import numpy as np

        if self.voice is None:
            return np.concatenate(list(self.stream(inputs))), self._mels(inputs)[1]
        wave, frames = self.voice.run(None, inputs.of(self.voice))
        return wave[0, 0], frames[0]

    def stream(self, inputs: Inputs) -> Iterator["np.ndarray"]:
        """Yield a waveform in pieces."""
        import numpy as np

        mels, _ = self._mels(inputs)
        names = {one.name for one in self.vocoder.get_inputs()}

        def run(given: dict) -> list["np.ndarray"]:
            return self.vocoder.run(None, {name: given[name] for name in names})

        noise_scale = np.array([inputs.noise_scale], np.float32)
        yield from synthesize_pieces(run, mels, noise_scale, self.context, self.chunk)

    def _mels(self, inputs: Inputs) -> tuple["np.ndarray", "np.ndarray"]:
        mels, frames = self.acoustic.run(None, inputs.of(self.acoustic))
        return mels, frames[0]
