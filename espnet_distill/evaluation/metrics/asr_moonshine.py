"""Transcribe speech with Moonshine, whose package has the weights."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics import RATE
from espnet_distill.evaluation.metrics.registry import MOONSHINE

PACKAGE = "moonshine-cpp"


@dataclass(frozen=True)
class Moonshine:
    """Moonshine base for English (Jeffries et al., 2024), run by moonshine-cpp."""

    @property
    def description(self) -> str:
        return f"Moonshine base ({self.key[0]})"

    @property
    def key(self) -> tuple[str, ...]:
        return (f"{PACKAGE} {version(PACKAGE)}",)

    def load(self) -> Callable[[np.ndarray], str]:
        """Return a function that transcribes a waveform (samples,) at 16 kHz."""
        import moonshine_cpp

        model = moonshine_cpp.MoonshineModel()
        # in 0.1.4 MoonshineModel.transcribe fails
        library = moonshine_cpp.moonshine_lib

        def transcribe(wave: np.ndarray) -> str:
            padding = max(0, RATE - len(wave))  # it aborts on waves below 0.06 s
            samples = np.pad(wave, (0, padding)).astype(np.float32)
            pointer = samples.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
            text = ctypes.c_char_p()
            error = library.moonshine_transcribe(
                model.model_handle, pointer, len(samples), ctypes.byref(text)
            )
            if error:
                raise RuntimeError(f"Moonshine: error {error}")
            transcript = text.value.decode("utf-8", errors="replace")
            library.moonshine_free_text(text)
            return transcript.strip()

        return transcribe


def find(language: str) -> Moonshine:
    """Return Moonshine; raise a ConfigError if it does not transcribe a language."""
    if language != "en":
        raise ConfigError(
            f"{MOONSHINE} transcribes English only, the text is {language}; name a "
            "multilingual model, such as base"
        )
    if find_spec("moonshine_cpp") is None:
        raise ConfigError(f"{MOONSHINE} is not installed; pip install {PACKAGE}")
    return Moonshine()
