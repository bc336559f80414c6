"""Voice: synthesis from a folder that ``export`` wrote, or from a voice of Piper's."""

import functools
import math
from collections.abc import Callable, Iterator, Sequence, Set
from pathlib import Path

import numpy as np

from .config import VoiceConfig, read_config
from .errors import ConfigError
from .graph import Graph, Inputs, graph_inputs, input_names, require_whole
from .sentences import split_long
from .streaming import ACOUSTIC, REQUIRED, STATE, VOCODER, StreamingGraphs
from .text_to_ids import TextToIds

GRAPH = "voice.onnx"
PAUSE = 0.2  # seconds between sentences
SPEEDS = (0.1, 10.0)
Stream = Callable[[Inputs], Iterator[np.ndarray]]


class Voice:
    """A voice: text or phonemes to a waveform, by ONNX Runtime.

    The graph is loaded when the first sentence is synthesized.

    Args:
        path: A folder with ``voice.onnx`` and ``voice.onnx.json``, or the ``.onnx``
            file of a voice of Piper's, beside which its ``.onnx.json`` is.
        threads: The number of threads.

    Attributes:
        config: Content of the JSON file.

    Raises:
        ConfigError: A file is missing or truncated, or the JSON file is not valid or of
            a newer version.
    """

    def __init__(self, path: str | Path, threads: int = 1):
        path = Path(path)
        self.path = path / GRAPH if path.is_dir() else path
        if not self.path.is_file() or self.path.suffix != ".onnx":
            raise ConfigError(
                f"{self.path}: no such voice; name a folder that `espnet-distill "
                "export` wrote, or the .onnx file of a voice of Piper's"
            )
        self.threads = threads
        self.config: VoiceConfig = read_config(Path(f"{self.path}.json"))
        self._front_end = TextToIds(self.config)
        names = (ACOUSTIC, VOCODER) if self.config.streaming else ()
        for name in (self.path.name, *names):
            recorded = self.config.checksums.get(name)
            require_whole(self.path.with_name(name), recorded)

    @property
    def sample_rate(self) -> int:
        """Samples per second."""
        return self.config.sample_rate

    @property
    def speakers(self) -> list[str]:
        """The speakers' names; empty if there is one speaker."""
        return list(self.config.speakers)

    def synthesize(self, text: str, **options) -> np.ndarray:
        """Return the waveform of a text (T,), float32, in [-1, 1].

        Args:
            text: One or several sentences.
            options: As in :meth:`stream`.
        """
        return np.concatenate(list(self.sentences(text, **options)))

    def sentences(self, text: str, **options) -> Iterator[np.ndarray]:
        """Yield the waveform of each sentence (T,), and the silence between them.

        Args:
            text: One or several sentences.
            options: As in :meth:`stream`.
        """
        return self._waves(self._graph.stream, text, **options)

    def stream(self, text: str, **options) -> Iterator[np.ndarray]:
        """Yield the waveform of a text in pieces (T,).

        A piece is a sentence, or a part of one if the voice has graphs for it.

        Args:
            text: One or several sentences.
            speaker: One of :attr:`speakers`; None is the one with the lowest id.
            speed: Factor of the rate of speech.
            noise_scale: Level of the noise; None is the voice's own.
            phonemes: Whether the text is phonemes: code points with spaces between
                words; for a voice of type ``ids``, tokens between spaces.
            pause: Seconds of silence between sentences.

        Raises:
            ConfigError: The speaker is unknown, a number is out of range, the text has
                nothing to synthesize, or the voice is not valid.
        """
        return self._waves(self._pieces, text, **options)

    def synthesize_ids(
        self, ids: Sequence[int], **options
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a sentence's waveform (T,) and the frames of each id (N,).

        A voice of Piper's may have no frames.

        Args:
            ids: The ids that the graph gets, as of :meth:`ids`.
            options: `speaker`, `speed` and `noise_scale` of :meth:`stream`.

        Raises:
            ConfigError: As :meth:`stream`.
        """
        return self._graph.synthesize(self._id_inputs(ids, **options))

    def stream_ids(self, ids: Sequence[int], **options) -> Iterator[np.ndarray]:
        """Yield the waveform of :meth:`synthesize_ids` in pieces (T,)."""
        return self._pieces(self._id_inputs(ids, **options))

    def phonemize(self, text: str) -> list[list[str]]:
        """Return the phonemes of each sentence of a text.

        Raises:
            ConfigError: The voice synthesizes only phonemes, or espeak-ng is missing.
        """
        return list(self._front_end.sentences(text))

    def ids(self, phonemes: list[str]) -> list[int]:
        """Return the ids that the graph gets for phonemes."""
        return self._front_end.ids(phonemes)

    def _waves(
        self,
        stream: Stream,
        text: str,
        phonemes: bool = False,
        pause: float = PAUSE,
        **options,
    ) -> Iterator[np.ndarray]:
        """Yield what `stream` makes of each sentence, and silence between them."""
        conditions = self._conditions(**options)
        seconds = _require_within("pause", pause, 0, 60)
        silence = np.zeros(int(seconds * self.sample_rate), np.float32)
        front_end = self._front_end
        read = front_end.given_phonemes if phonemes else front_end.sentences
        is_first = True
        for sentence in filter(None, map(self._id_pieces, read(text))):
            if not is_first:
                yield silence
            is_first = False
            for ids in sentence:
                yield from stream(graph_inputs(ids, *conditions))
        if is_first:
            raise ConfigError(f"text {text[:40]!r}: has nothing to synthesize")

    def _id_pieces(self, phonemes: list[str]) -> list[list[int]]:
        """Return the ids of a sentence, in pieces if it is long."""
        return list(filter(None, map(self.ids, split_long(phonemes))))

    def _id_inputs(self, ids: Sequence[int], **options) -> Inputs:
        if not len(ids):
            raise ConfigError("ids: there are none to synthesize")
        return graph_inputs(ids, *self._conditions(**options))

    def _conditions(
        self,
        speaker: str | None = None,
        speed: float = 1.0,
        noise_scale: float | None = None,
    ) -> tuple[tuple[float, float, float], int]:
        """Return the scales of the graph and the id of the speaker."""
        own = self.config.scales
        length = own["length_scale"] / _require_within("speed", speed, *SPEEDS)
        noise = own["noise_scale"] if noise_scale is None else noise_scale
        noise = _require_within("noise_scale", noise, 0, 10)
        return (noise, length, own["noise_w"]), self.config.speaker_id(speaker)

    @property
    def _pieces(self) -> Stream:
        if self.config.streaming is None:
            return self._graph.stream
        return self._streaming_graphs.stream

    @functools.cached_property
    def _graph(self) -> Graph:
        return self._open(self.path.name, self._inputs)

    @functools.cached_property
    def _streaming_graphs(self) -> StreamingGraphs:
        acoustic = self._open(ACOUSTIC, self._inputs)
        vocoder = self._open(VOCODER, REQUIRED, STATE)
        return StreamingGraphs(acoustic, vocoder, *self.config.streaming)

    @property
    def _inputs(self) -> set[str]:
        return input_names(bool(self.config.speakers))

    def _open(self, name: str, *inputs: Set[str]) -> Graph:
        recorded = self.config.checksums.get(name)
        options = {"threads": self.threads, "recorded": recorded}
        return Graph(self.path.with_name(name), *inputs, **options)


def _require_within(name: str, value: float, least: float, most: float) -> float:
    if not (math.isfinite(value) and least <= value <= most):
        raise ConfigError(f"{name}: {value}: expected {least:g} to {most:g}")
    return value
