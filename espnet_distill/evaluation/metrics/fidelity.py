"""Compare generated speech with the recording: MCD, log-F0 RMSE, V/UV error."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from espnet_distill.data.audio import read_audio_at, sampling_rate
from espnet_distill.evaluation.metrics import f0, mcd


@dataclass(frozen=True)
class Fidelity:
    """Distances in dB, nats (NaN without voiced frames) and percent of the frames.

    None for metrics that were not requested.
    """

    mcd: float | None
    log_f0_rmse: float | None
    voicing_error: float | None


class Recording:
    """Reference recording; its features are cached by sampling rate."""

    def __init__(self, wav: Path):
        self._wav = wav
        self._features: dict[tuple[Callable, int], object] = {}

    def mcd(self, wav: Path) -> float:
        """Return the mel-cepstral distortion of a file in dB."""
        return mcd.distortion(*self._features_of_both(mcd.mel_cepstrum, wav))

    def f0_errors(self, wav: Path) -> tuple[float, float]:
        """Return log-F0 RMSE in nats and V/UV error in percent of a file."""
        return f0.contour_errors(*self._features_of_both(f0.contour, wav))

    def _features_of_both(self, extract: Callable, wav: Path) -> tuple:
        rate = mcd.rate_for(sampling_rate(wav))
        if (extract, rate) not in self._features:
            self._features[extract, rate] = _extract(extract, self._wav, rate)
        return self._features[extract, rate], _extract(extract, wav, rate)


def _extract(extract: Callable, wav: Path, rate: int):
    return extract(read_audio_at(wav, rate), rate)
