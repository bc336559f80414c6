"""Mel-cepstral distortion, as ESPnet's ``pyscripts/utils/evaluate_mcd.py`` defines it.

SPTK mel-cepstra with the energy coefficient, from frames of 1024 samples every 256,
aligned by dynamic time warping (exact here, approximate there), at the sampling rate
of the generated speech.
"""

import warnings

import librosa
import numpy as np

FRAME = 1024
SHIFT = 256
ORDER_AND_ALPHA = {
    16000: (23, 0.42),
    22050: (34, 0.45),
    24000: (34, 0.46),
    44100: (39, 0.53),
    48000: (39, 0.55),
}


def mel_cepstrum(wave: np.ndarray, rate: int) -> np.ndarray:
    """Return mel-cepstra (frames, order + 1) of a waveform (samples,) in [-1, 1].

    ``rate`` is a key of ORDER_AND_ALPHA.
    """
    pysptk = sptk()
    order, alpha = ORDER_AND_ALPHA[rate]
    wave = np.pad(wave, (0, max(0, FRAME - len(wave)))).astype(np.float64) * 2**15
    frames = librosa.util.frame(wave, frame_length=FRAME, hop_length=SHIFT, axis=0)
    windowed = np.ascontiguousarray(frames * pysptk.sptk.hamming(FRAME))
    return pysptk.mcep(windowed, order, alpha, eps=1e-6, etype=1)


def distortion(reference: np.ndarray, generated: np.ndarray) -> float:
    """Return the mean distortion in dB of mel-cepstra along their best alignment.

    10 / ln 10 · sqrt(2 Σ (c - c')²) for each aligned pair, the sum over coefficients
    (Kubichek, 1993).
    """
    _, path = librosa.sequence.dtw(reference.T, generated.T, metric="euclidean")
    difference = reference[path[:, 0]] - generated[path[:, 1]]
    distances = np.sqrt(2 * np.square(difference).sum(axis=1))
    return float(10 / np.log(10) * distances.mean())


def rate_for(rate: int) -> int:
    """Return the highest rate of ORDER_AND_ALPHA up to this one, or the lowest."""
    lower = [r for r in ORDER_AND_ALPHA if r <= rate]
    return max(lower, default=min(ORDER_AND_ALPHA))


def sptk():
    """Return the module ``pysptk``, imported without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports the deprecated pkg_resources
        import pysptk
    return pysptk
