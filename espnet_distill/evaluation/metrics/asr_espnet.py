"""What an ESPnet recogniser hears in speech."""

from collections.abc import Callable
from dataclasses import dataclass

import librosa
import numpy as np

from espnet_distill.evaluation import espnet_models

RATE = 16000


USUAL_NAMES = ("valid.acc.ave.pth", "valid.loss.ave.pth", "valid.loss.best.pth")


@dataclass(frozen=True)
class EspnetRecognizer:
    """An ASR model of ESPnet, decoded as ``Speech2Text`` does by default."""

    name: str
    found: espnet_models.Found

    @property
    def said(self) -> str:
        return f"ESPnet {self.name} (beam 20, CTC 0.5)"

    @property
    def key(self) -> tuple[str, ...]:
        return self.found.key

    def load(self) -> Callable[[np.ndarray], str]:
        """Return what transcribes a waveform (samples,) at 16 kHz."""
        from espnet2.bin.asr_inference import Speech2Text

        heard = espnet_models.load(
            self.found, Speech2Text, "asr_model_file", lambda built: built.asr_model
        )

        def transcribe(wave: np.ndarray) -> str:
            results = heard(
                librosa.resample(wave, orig_sr=RATE, target_sr=self.found.rate)
            )
            if isinstance(results, tuple):  # with what its CTC layers have heard
                results = results[0]
            return (results[0][0] or "").strip() if results else ""

        return transcribe


def find(model: str) -> EspnetRecognizer:
    """Find a recogniser by its folder, checkpoint or tag.

    Raises ConfigError if there is none, or it cannot be built.
    """
    found = EspnetRecognizer(model, espnet_models.find(model, "asr_", USUAL_NAMES))
    found.load()
    return found
