"""Predicted opinion of the audio: NISQA, by torchmetrics."""

import numpy as np

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
