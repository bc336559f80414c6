"""Predicted mean opinion scores: DNSMOS, NISQA and UTMOS."""

from functools import cache

import numpy as np

from espnet_distill.evaluation.metrics import mos_weights as weights

RATE = 16000


WINDOW = int(9.01 * RATE)


def dnsmos(wave: np.ndarray) -> float:
    """Overall score (OVRL, 1 to 5) of a waveform (samples,) at 16 kHz.

    DNSMOS P.835 (Reddy et al., ICASSP 2022) hears 9.01 s. A shorter wave is repeated
    up to that length and heard once; the authors' script hears the same loop several
    times over, shifted (means of 30 clips differed by 0.002, at a quarter of the time).
    """
    from speechmos import dnsmos as model

    wave = np.clip(wave, -1, 1)
    if len(wave) < WINDOW:
        wave = np.resize(wave, WINDOW)
    return float(model.run(wave, RATE)["ovrl_mos"])


SHORTEST, LONGEST = 1, 50  # seconds: the network wants 0.15, and takes 52


def nisqa(wave: np.ndarray, rate: int) -> float:
    """Overall quality of NISQA 2 (Mittag et al., Interspeech 2021), 1 to 5.

    Of a longer wave its first 50 s are heard; one shorter than a second is repeated.

    Args:
        wave: A waveform (samples,).
        rate: Its sampling rate, which the network hears the bandwidth of.
    """
    import torch
    from torchmetrics.functional.audio import nisqa as network

    wave = wave[: LONGEST * rate]
    if len(wave) < SHORTEST * rate:
        wave = np.resize(wave, SHORTEST * rate)
    heard = torch.from_numpy(wave)
    return network.non_intrusive_speech_quality_assessment(heard, rate)[0].item()


def utmos(wave: np.ndarray) -> float:
    """UTMOS22, strong learner (Saeki et al., Interspeech 2022), 1 to 5.

    Args:
        wave: A waveform (samples,) at 16 kHz; one below a second is repeated.
    """
    import torch

    if len(wave) < RATE:
        wave = np.resize(wave, RATE)
    with torch.inference_mode():
        return _model()(torch.from_numpy(wave)).item()


@cache
def _model():
    from utmos_pytorch import UTMOSScoreTorch

    return UTMOSScoreTorch(str(weights.utmos())).eval()
