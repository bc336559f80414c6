"""Voice: synthesis from a folder that ``export`` wrote, or from a voice of Piper's."""

import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from .config import VoiceConfig, read_config
from .errors import ConfigError
from .graph import Graph, require_whole
from .sentences import split_long
from .streaming import ACOUSTIC, VOCODER, StreamingGraphs
from .text_to_ids import TextToIds

GRAPH = "voice.onnx"
PAUSE = 0.2  # seconds between sentences
SPEEDS = (0.1, 10.0)
INPUTS = ("input", "input_lengths", "scales")
Inputs = dict[str, np.ndarray]


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
        return np.concatenate(list(self._waves(self._run, text, **options)))

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
        if self.config.streaming is None:
            return self._waves(self._run, text, **options)
        return self._waves(self._streaming_graphs.stream, text, **options)

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
        run: Callable[[Inputs], Iterator[np.ndarray]],
        text: str,
        speaker: str | None = None,
        speed: float = 1.0,
        noise_scale: float | None = None,
        phonemes: bool = False,
        pause: float = PAUSE,
    ) -> Iterator[np.ndarray]:
        """Yield what `run` makes of each sentence, and silence between them."""
        scales = self._scales(speed, noise_scale)
        sid = self.config.speaker_id(speaker)
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
                yield from run(self._inputs(ids, scales, sid))
        if is_first:
            raise ConfigError(f"text {text[:40]!r}: has nothing to synthesize")

    def _id_pieces(self, phonemes: list[str]) -> list[list[int]]:
        """Return the ids of a sentence, in pieces if it is long."""
        return list(filter(None, map(self.ids, split_long(phonemes))))

    def _scales(self, speed: float, noise_scale: float | None) -> np.ndarray:
        own = self.config.scales
        length = own["length_scale"] / _require_within("speed", speed, *SPEEDS)
        noise = own["noise_scale"] if noise_scale is None else noise_scale
        noise = _require_within("noise_scale", noise, 0, 10)
        return np.array((noise, length, own["noise_w"]), dtype=np.float32)

    def _inputs(self, ids: list[int], scales: np.ndarray, sid: int) -> Inputs:
        values = (np.array([ids]), np.array([len(ids)]), scales, np.array([sid]))
        return dict(zip(self._names, values))

    def _run(self, inputs: Inputs) -> Iterator[np.ndarray]:
        wave, *_ = self._graph.run(inputs)
        yield wave.reshape(-1)

    @property
    def _names(self) -> tuple[str, ...]:
        return (*INPUTS, "sid") if self.config.speakers else INPUTS

    @functools.cached_property
    def _graph(self) -> Graph:
        recorded = self.config.checksums.get(self.path.name)
        return Graph(self.path, recorded, self.threads, {*self._names})

    @functools.cached_property
    def _streaming_graphs(self) -> StreamingGraphs:
        folder, names = self.path.parent, {*self._names}
        return StreamingGraphs(folder, self.config, names, self.threads)


def _require_within(name: str, value: float, least: float, most: float) -> float:
    if not (math.isfinite(value) and least <= value <= most):
        raise ConfigError(f"{name}: {value}: expected {least:g} to {most:g}")
    return value
