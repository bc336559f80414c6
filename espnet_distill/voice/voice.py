"""Voice: synthesis from a folder that ``export`` wrote, or from a voice of Piper's."""

import functools
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .config import VoiceConfig, read_config
from .errors import ConfigError
from .graph import Graph, require_whole
from .sentences import split_long
from .text_to_ids import TextToIds

GRAPH = "voice.onnx"
PAUSE = 0.2  # seconds between sentences
SPEEDS = (0.1, 10.0)
INPUTS = ("input", "input_lengths", "scales")


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
        require_whole(self.path, self.config.checksums.get(self.path.name))

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
        return np.concatenate(list(self.stream(text, **options)))

    def stream(
        self,
        text: str,
        speaker: str | None = None,
        speed: float = 1.0,
        noise_scale: float | None = None,
        phonemes: bool = False,
        pause: float = PAUSE,
    ) -> Iterator[np.ndarray]:
        """Yield the waveform of a text in pieces (T,), a sentence at a time.

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
        scales = self._scales(speed, noise_scale)
        sid = self.config.speaker_id(speaker)
        seconds = _require_within("pause", pause, 0, 60)
        silence = np.zeros(int(seconds * self.sample_rate), np.float32)
        front_end = self._front_end
        read = front_end.given_phonemes if phonemes else front_end.sentences
        waves = (self._stream_sentence(one, scales, sid) for one in read(text))
        is_first = True
        for wave in waves:
            for number, piece in enumerate(wave):
                if number == 0 and not is_first:
                    yield silence
                yield piece
                is_first = False
        if is_first:
            raise ConfigError(f"text {text[:40]!r}: has nothing to synthesize")

    def phonemize(self, text: str) -> list[list[str]]:
        """Return the phonemes of each sentence of a text.

        Raises:
            ConfigError: The voice synthesizes only phonemes, or espeak-ng is missing.
        """
        return list(self._front_end.sentences(text))

    def ids(self, phonemes: list[str]) -> list[int]:
        """Return the ids that the graph gets for phonemes."""
        return self._front_end.ids(phonemes)

    def _stream_sentence(
        self, phonemes: list[str], scales: np.ndarray, sid: int
    ) -> Iterator[np.ndarray]:
        for piece in split_long(phonemes):
            if ids := self.ids(piece):
                yield self._run(ids, scales, sid)

    def _scales(self, speed: float, noise_scale: float | None) -> np.ndarray:
        own = self.config.scales
        length = own["length_scale"] / _require_within("speed", speed, *SPEEDS)
        noise = own["noise_scale"] if noise_scale is None else noise_scale
        noise = _require_within("noise_scale", noise, 0, 10)
        return np.array((noise, length, own["noise_w"]), dtype=np.float32)

    def _run(self, ids: list[int], scales: np.ndarray, sid: int) -> np.ndarray:
        values = (np.array([ids]), np.array([len(ids)]), scales)
        inputs = dict(zip(INPUTS, values, strict=True))
        if self.config.speakers:
            inputs["sid"] = np.array([sid])
        wave, *_ = self._graph.run(inputs)
        return wave.reshape(-1)

    @functools.cached_property
    def _graph(self) -> Graph:
        inputs = {*INPUTS, *(["sid"] if self.config.speakers else [])}
        recorded = self.config.checksums.get(self.path.name)
        return Graph(self.path, inputs, recorded, self.threads)


def _require_within(name: str, value: float, least: float, most: float) -> float:
    if not (math.isfinite(value) and least <= value <= most):
        raise ConfigError(f"{name}: {value}: expected {least:g} to {most:g}")
    return value
