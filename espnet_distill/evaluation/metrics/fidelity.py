"""How far generated speech is from the recording: MCD, log-F0 RMSE, voicing error."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from espnet_distill.data.audio import read_audio_at, sampling_rate
from espnet_distill.evaluation.metrics import f0, mcd


@dataclass(frozen=True)
class Fidelity:
    """Distances in dB, nats (NaN: nothing voiced) and percent of the frames.

    None for what was not asked for.
    """

    mcd: float | None
    log_f0_rmse: float | None
    voicing_error: float | None


class Recording:
    """What generated files are compared with, at the rate of each."""

    def __init__(self, wav: Path):
        self._wav = wav
        self._analysed: dict[tuple[Callable, int], object] = {}

    def mcd(self, wav: Path) -> float:
        """Mel-cepstral distortion in dB."""
        return mcd.distortion(*self._both(mcd.mel_cepstrum, wav))

    def f0_errors(self, wav: Path) -> tuple[float, float]:
        """Log-F0 RMSE in nats and voicing error in percent."""
        return f0.contour_errors(*self._both(f0.contour, wav))

    def _both(self, analyse: Callable, wav: Path) -> tuple:
        rate = mcd.rate_for(sampling_rate(wav))
        if (analyse, rate) not in self._analysed:
            self._analysed[analyse, rate] = _analysis(analyse, self._wav, rate)
        return self._analysed[analyse, rate], _analysis(analyse, wav, rate)


def _analysis(analyse: Callable, wav: Path, rate: int):
    return analyse(read_audio_at(wav, rate), rate)
