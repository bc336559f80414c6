"""How far generated speech is from the recording: MCD, log-F0 RMSE, voicing error."""

from dataclasses import dataclass
from pathlib import Path

import librosa
import numpy as np

from espnet_distill.evaluation import f0, mcd


@dataclass(frozen=True)
class Fidelity:
    """Distances in dB, nats (NaN: nothing voiced) and percent of the frames."""

    mcd: float
    log_f0_rmse: float
    voicing_error: float


@dataclass(frozen=True)
class _Analysis:
    cepstrum: np.ndarray
    contour: tuple[np.ndarray, np.ndarray]


def fidelities(reference: Path, generated: list[Path]) -> list[Fidelity]:
    """Compare each generated file with one recording, at the generated file's rate."""
    references: dict[int, _Analysis] = {}
    found = []
    for wav in generated:
        rate = mcd.rate_for(librosa.get_samplerate(wav))
        if rate not in references:
            references[rate] = _analyse(reference, rate)
        found.append(_compare(references[rate], _analyse(wav, rate)))
    return found


def _analyse(wav: Path, rate: int) -> _Analysis:
    wave, _ = librosa.load(wav, sr=rate)
    return _Analysis(mcd.mel_cepstrum(wave, rate), f0.contour(wave, rate))


def _compare(reference: _Analysis, generated: _Analysis) -> Fidelity:
    return Fidelity(
        mcd.distortion(reference.cepstrum, generated.cepstrum),
        *f0.contour_errors(reference.contour, generated.contour),
    )
