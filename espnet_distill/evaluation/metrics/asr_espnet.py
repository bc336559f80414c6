"""Transcribe speech with ESPnet ASR models."""

from collections.abc import Callable
from dataclasses import dataclass

import librosa
import numpy as np

from espnet_distill.evaluation import espnet_models
from espnet_distill.evaluation.metrics import RATE

USUAL_NAMES = ("valid.acc.ave.pth", "valid.loss.ave.pth", "valid.loss.best.pth")


@dataclass(frozen=True)
class EspnetRecognizer:
    """An ASR model of ESPnet, decoded as ``Speech2Text`` does by default."""

    name: str
    model: espnet_models.LocalModel

    @property
    def description(self) -> str:
        return f"ESPnet {self.name} (beam 20, CTC 0.5)"

    @property
    def key(self) -> tuple[str, ...]:
        return self.model.key

    def load(self) -> Callable[[np.ndarray], str]:
        """Return a function that transcribes a waveform (samples,) at 16 kHz.

        Silence follows a wave of less than half a second.
        """
        from espnet2.bin.asr_inference import Speech2Text

        speech2text = espnet_models.load(
            self.model, Speech2Text, "asr_model_file", lambda built: built.asr_model
        )

        def transcribe(wave: np.ndarray) -> str:
            wave = np.pad(wave, (0, max(0, espnet_models.SHORTEST - len(wave))))
            results = speech2text(
                librosa.resample(wave, orig_sr=RATE, target_sr=self.model.rate)
            )
            if isinstance(results, tuple):
                results = results[0]  # without intermediate CTC outputs
            return (results[0][0] or "").strip() if results else ""

        return transcribe


def find(model: str) -> EspnetRecognizer:
    """Return the ASR model of a folder, checkpoint or tag.

    Raises ConfigError if it does not exist or cannot be built.
    """
    recognizer = EspnetRecognizer(model, espnet_models.find(model, "asr_", USUAL_NAMES))
    recognizer.load()
    return recognizer
