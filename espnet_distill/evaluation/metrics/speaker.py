"""Compare speakers by their embeddings."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec

import librosa
import numpy as np

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation import espnet_models
from espnet_distill.evaluation.metrics import RATE

USUAL_NAMES = ("valid.eer.best.pth", "valid.eer.ave.pth")


RESEMBLYZER = "resemblyzer"


@dataclass(frozen=True)
class EspnetSpeaker:
    """A model of ESPnet-SPK."""

    model: espnet_models.LocalModel

    @property
    def key(self) -> tuple[str, ...]:
        return self.model.key

    def load(self) -> Callable[[np.ndarray], list[float]]:
        """Return a function that embeds a waveform (samples,) at 16 kHz.

        A wave of less than half a second is repeated up to that length.
        """
        from espnet2.bin.spk_inference import Speech2Embedding

        network = espnet_models.load(
            self.model, Speech2Embedding, "model_file", lambda built: built.spk_model
        )

        def embed(wave: np.ndarray) -> list[float]:
            wave = np.resize(wave, max(len(wave), espnet_models.SHORTEST))
            wave = librosa.resample(wave, orig_sr=RATE, target_sr=self.model.rate)
            return network(wave).flatten().tolist()

        return embed


@dataclass(frozen=True)
class Resemblyzer:
    """The model included in the package resemblyzer (GE2E, Wan et al., 2018)."""

    @property
    def key(self) -> tuple[str, ...]:
        return (f"{RESEMBLYZER} {version(RESEMBLYZER)}",)

    def load(self) -> Callable[[np.ndarray], list[float]]:
        """Return a function that embeds a waveform (samples,) at 16 kHz."""
        from resemblyzer import VoiceEncoder, preprocess_wav

        encoder = VoiceEncoder("cpu", verbose=False)

        def embed(wave: np.ndarray) -> list[float]:
            samples = preprocess_wav(wave, source_sr=RATE)
            return encoder.embed_utterance(samples).tolist()

        return embed


def find(model: str) -> EspnetSpeaker | Resemblyzer:
    """Return the speaker model of a folder, checkpoint or tag, or "resemblyzer".

    Raises ConfigError if it is not available.
    """
    if model == RESEMBLYZER:
        if find_spec(RESEMBLYZER) is None:
            raise ConfigError(f"not installed: pip install {RESEMBLYZER}")
        return Resemblyzer()
    speaker = EspnetSpeaker(espnet_models.find(model, "", USUAL_NAMES))
    speaker.load()
    return speaker


def similarity(one: list[float], other: list[float]) -> float:
    """Return the cosine of two embeddings, -1 to 1; NaN if one is zero."""
    one, other = np.asarray(one), np.asarray(other)
    with np.errstate(invalid="ignore"):
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
