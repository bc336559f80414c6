"""Voice: synthesis from a folder that ``export`` wrote, or from a voice of Piper's."""

import functools
import logging
import math
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .config import BEGIN, END, PADDING, VoiceConfig, read_config
from .errors import ConfigError, summarize
from .normalization import normalize
from .phonemes import SPACE, phonemize
from .sentences import split_long, split_phonemes, split_sentences

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

    Raises:
        ConfigError: A file is missing, or the JSON file is not valid or of a newer
            version.
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
        self._unknown: set[str] = set()

    @property
    def sample_rate(self) -> int:
        """Samples per second."""
        return self.config.sample_rate

    @property
    def speakers(self) -> list[str]:
        """The speakers' names; empty if there is one speaker."""
        return list(self.config.speakers)

    def synthesize(self, text: str, **options) -> np.ndarray:
        """Return the waveform of a text (T,), float32, nominally in [-1, 1].

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
            speaker: One of :attr:`speakers`; None is the first.
            speed: Factor of the rate of speech.
            noise_scale: Level of the noise; None is the voice's own.
            phonemes: Whether the text is phonemes, as :func:`phonemize` returns them,
                joined and with spaces between words.
            pause: Seconds of silence between sentences.

        Raises:
            ConfigError: The speaker is unknown, a number is out of range, the text has
                nothing to synthesize, or the voice is not valid.
        """
        scales = self._scales(speed, noise_scale)
        sid = self.config.speaker_id(speaker)
        silence = np.zeros(int(_within("pause", pause, 0, 60) * self.sample_rate))
        is_first = True
        for sentence in self._sentences(text, phonemes):
            for number, piece in enumerate(split_long(sentence)):
                ids = self.ids(piece)
                if not ids:
                    continue
                if not is_first and number == 0:
                    yield silence.astype(np.float32)
                yield self._run(ids, scales, sid)
                is_first = False
        if is_first:
            raise ConfigError(f"text {text[:40]!r}: has nothing to synthesize")

    def phonemize(self, text: str) -> list[list[str]]:
        """Return the phonemes of each sentence of a text.

        Raises:
            ConfigError: The voice synthesizes only phonemes, or espeak-ng is missing.
        """
        return list(self._sentences(text, phonemes=False))

    def ids(self, phonemes: list[str]) -> list[int]:
        """Return the ids of phonemes, with padding, begin and end.

        They are empty if only spaces and punctuation have ids. Phonemes without an id
        are left out, with a warning.
        """
        table, known = self.config.ids, []
        for phoneme in (" " if one == SPACE else one for one in phonemes):
            if phoneme in table:
                known.append(phoneme)
            elif phoneme not in self._unknown:
                self._unknown.add(phoneme)
                place = self.config.path
                logging.getLogger(__name__).warning(
                    "%s: no id for %r, which is left out", place, phoneme
                )
        if not any(unicodedata.category(char)[0] in "LMN" for char in "".join(known)):
            return []
        spaced = [one for phoneme in known for one in (phoneme, PADDING)]
        return [id for one in (BEGIN, PADDING, *spaced, END) for id in table[one]]

    def _sentences(self, text: str, phonemes: bool) -> Iterator[list[str]]:
        if phonemes:
            for line in text.splitlines():
                yield from split_phonemes(_code_points(line))
            return
        kind, language = self.config.phoneme_type, self.config.language
        if kind not in ("espeak", "text"):
            raise ConfigError(
                f"{self.config.path}: phoneme_type: no front end for {kind}; "
                "give phonemes"
            )
        for sentence in split_sentences(text, language):
            words = normalize(sentence, language) if language else sentence
            if kind == "espeak":
                yield phonemize(words, self.config.espeak_voice)
            else:
                yield _code_points(words)

    def _scales(self, speed: float, noise_scale: float | None) -> np.ndarray:
        scales = self.config.scales
        length = scales["length_scale"] / _within("speed", speed, *SPEEDS)
        noise = scales["noise_scale"] if noise_scale is None else noise_scale
        values = (_within("noise_scale", noise, 0, 10), length, scales["noise_w"])
        return np.array(values, dtype=np.float32)

    def _run(self, ids: list[int], scales: np.ndarray, sid: int) -> np.ndarray:
        values = (np.array([ids]), np.array([len(ids)]), scales)
        inputs = dict(zip(INPUTS, values, strict=True))
        if self.config.speakers:
            inputs["sid"] = np.array([sid])
        try:
            wave, *_ = self._session.run(None, inputs)
        except Exception as error:  # onnxruntime's exceptions have no common class
            raise ConfigError(f"{self.path}: {summarize(error)}") from error
        if not np.isfinite(wave).all():
            raise ConfigError(f"{self.path}: its output is not finite; export it again")
        return wave.reshape(-1)

    @functools.cached_property
    def _session(self):
        session = load_graph(self.path, self.threads)
        expected = {*INPUTS, *(["sid"] if self.config.speakers else [])}
        names = {item.name for item in session.get_inputs()}
        if names != expected:
            raise ConfigError(
                f"{self.path}: its inputs are {', '.join(sorted(names))}, not "
                f"{', '.join(sorted(expected))}; export it again"
            )
        return session


def load_graph(path: Path, threads: int):
    """Return an InferenceSession of an ONNX file.

    Raises:
        ConfigError: The file is truncated, or no graph of ONNX.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's exceptions have no common class
        fault = f"{path}: cannot be loaded: {summarize(error)}; copy or export it again"
        raise ConfigError(fault) from error


def _code_points(text: str) -> list[str]:
    spaced = unicodedata.normalize("NFD", " ".join(text.split()))
    return [SPACE if char == " " else char for char in spaced]


def _within(name: str, value: float, least: float, most: float) -> float:
    if not (math.isfinite(value) and least <= value <= most):
        raise ConfigError(f"{name}: {value}: expected {least:g} to {most:g}")
    return value
