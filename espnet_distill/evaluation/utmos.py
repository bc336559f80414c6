"""Predicted opinion of the audio: UTMOS, by the package utmos-pytorch."""

from functools import cache

import numpy as np

from espnet_distill.evaluation import weights

RATE = 16000


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
