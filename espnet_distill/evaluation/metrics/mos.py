"""Predict mean opinion scores with DNSMOS, DistillMOS, NISQA and UTMOS."""

import io
from contextlib import redirect_stdout
from functools import cache

import numpy as np

from espnet_distill.evaluation.metrics import RATE
from espnet_distill.evaluation.metrics import mos_weights as weights

WINDOW = int(9.01 * RATE)


def dnsmos(wave: np.ndarray) -> dict[str, float]:
    """Return two scores (1 to 5) of a waveform (samples,) at 16 kHz, by metric.

    ``dnsmos`` is the overall score (OVRL) of DNSMOS P.835 (Reddy et al., ICASSP 2022),
    ``dnsmos_p808`` the score of DNSMOS P.808 (Reddy et al., ICASSP 2021), a network of
    its own, trained on ratings of overall quality; speechmos computes both.

    They take 9.01 s of input. A shorter wave is repeated up to that length and scored
    once; the authors' script averages shifted windows of the loop. Means over 30 clips
    differed by 0.002; one window takes a quarter of the time.
    """
    from speechmos import dnsmos as model

    wave = np.clip(wave, -1, 1)
    if len(wave) < WINDOW:
        wave = np.resize(wave, WINDOW)
    scores = model.run(wave, RATE)
    return {
        "dnsmos": float(scores["ovrl_mos"]),
        "dnsmos_p808": float(scores["p808_mos"]),
    }


def distillmos(wave: np.ndarray) -> float:
    """Return the score (1 to 5) of DistillMOS (Stahl and Gamper, ICASSP 2025).

    Args:
        wave: A waveform (samples,) at 16 kHz. The network takes 7.68 s; it pads
            shorter waves and averages segments of longer ones.
    """
    import torch

    with torch.inference_mode():
        return _distillmos_model()(torch.from_numpy(wave)[None]).item()


@cache
def _distillmos_model():
    from distillmos import ConvTransformerSQAModel

    with redirect_stdout(io.StringIO()):  # it prints where its weights are
        return ConvTransformerSQAModel().eval()


SHORTEST, LONGEST = 1, 50  # seconds; the network requires 0.15 to 52


def nisqa(wave: np.ndarray, rate: int) -> float:
    """Return the overall quality (1 to 5) of NISQA 2 (Mittag et al., Interspeech 2021).

    Waves are cut to 50 s; one shorter than a second is repeated.

    Args:
        wave: A waveform (samples,).
        rate: Its sampling rate; the network's features depend on the bandwidth.
    """
    import torch
    from torchmetrics.functional.audio import nisqa as network

    wave = wave[: LONGEST * rate]
    if len(wave) < SHORTEST * rate:
        wave = np.resize(wave, SHORTEST * rate)
    samples = torch.from_numpy(wave)
    return network.non_intrusive_speech_quality_assessment(samples, rate)[0].item()


def utmos(wave: np.ndarray) -> float:
    """Return the score (1 to 5) of UTMOS22 strong (Saeki et al., Interspeech 2022).

    Args:
        wave: A waveform (samples,) at 16 kHz; repeated if below one second.
    """
    import torch

    if len(wave) < RATE:
        wave = np.resize(wave, RATE)
    with torch.inference_mode():
        return _utmos_model()(torch.from_numpy(wave)).item()


@cache
def _utmos_model():
    from utmos_pytorch import UTMOSScoreTorch

    return UTMOSScoreTorch(str(weights.utmos())).eval()
