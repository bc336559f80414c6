"""Log-F0 error, as ESPnet's ``pyscripts/utils/evaluate_f0.py`` defines it.

WORLD's F0 (harvest) and mel-cepstra every 256 samples, aligned by dynamic time warping
(exact here, approximate there), at the sampling rate of the generated speech.
"""

import librosa
import numpy as np
import pyworld

from espnet_distill.evaluation.metrics.mcd import FRAME, ORDER_AND_ALPHA, SHIFT, sptk

FLOOR, CEILING = 40, 800


def contour(wave: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Return F0 in Hz (frames,), 0 where unvoiced, and mel-cepstra (frames, order + 1).

    The wave (samples,) is in [-1, 1]; ``rate`` is a key of ORDER_AND_ALPHA.
    """
    order, alpha = ORDER_AND_ALPHA[rate]
    wave = wave.astype(np.float64) * 2**15
    f0, times = pyworld.harvest(wave, rate, FLOOR, CEILING, 1000 * SHIFT / rate)
    envelope = pyworld.cheaptrick(wave, f0, times, rate, fft_size=FRAME)
    return f0, sptk().sp2mc(envelope, order, alpha)


def contour_errors(reference: tuple, generated: tuple) -> tuple[float, float]:
    """Return log-F0 RMSE and V/UV error of two contours along their best alignment.

    RMSE is in nats over frame pairs voiced on both sides, NaN without any. The V/UV
    error is the percentage of frame pairs that are voiced on one side only.
    """
    _, path = librosa.sequence.dtw(reference[1].T, generated[1].T, metric="euclidean")
    one, other = reference[0][path[:, 0]], generated[0][path[:, 1]]
    voiced = (one > 0) & (other > 0)
    differences = np.log(one[voiced]) - np.log(other[voiced])
    rmse = np.sqrt(np.square(differences).mean()) if voiced.any() else np.nan
    return float(rmse), float(100 * ((one > 0) != (other > 0)).mean())
