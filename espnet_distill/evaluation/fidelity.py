"""How far generated speech is from the recording: MCD, log-F0 RMSE, voicing error."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import librosa
import numpy as np

from espnet_distill.evaluation import f0, mcd


@dataclass(frozen=True)
class Fidelity:
    """Distances in dB, nats (NaN: nothing voiced) and percent of the frames.

    None for what was not asked for.
    """

    mcd: float | None
    log_f0_rmse: float | None
    voicing_error: float | None


@dataclass(frozen=True)
class _Analysis:
    cepstrum: np.ndarray | None
    contour: tuple[np.ndarray, np.ndarray] | None


def fidelities(
    reference: Path, generated: list[Path], measures: Collection[str] = ("mcd", "f0")
) -> list[Fidelity]:
    """Compare each generated file with one recording, at the generated file's rate.

    ``measures`` says whether by ``mcd``, ``f0`` or both.
    """
    references: dict[int, _Analysis] = {}
    found = []
    for wav in generated:
        rate = mcd.rate_for(librosa.get_samplerate(wav))
        if rate not in references:
            references[rate] = _analyse(reference, rate, measures)
        found.append(_compare(references[rate], _analyse(wav, rate, measures)))
    return found


def _analyse(wav: Path, rate: int, measures: Collection[str]) -> _Analysis:
    wave, _ = librosa.load(wav, sr=rate)
    return _Analysis(
        mcd.mel_cepstrum(wave, rate) if "mcd" in measures else None,
        f0.contour(wave, rate) if "f0" in measures else None,
    )


def _compare(reference: _Analysis, generated: _Analysis) -> Fidelity:
    distortion, errors = None, (None, None)
    if reference.cepstrum is not None:
        distortion = mcd.distortion(reference.cepstrum, generated.cepstrum)
    if reference.contour is not None:
        errors = f0.contour_errors(reference.contour, generated.contour)
    return Fidelity(distortion, *errors)
