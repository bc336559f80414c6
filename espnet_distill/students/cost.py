"""What a model that nobody has trained yet will cost."""

import time
from dataclasses import dataclass
from statistics import median

import torch
from espnet2.tts.abs_tts import AbsTTS

from espnet_distill.evaluation.complexity import parameters
from espnet_distill.evaluation.macs import MacCounter
from espnet_distill.evaluation.speed import on_threads
from espnet_distill.taps import made_up_sentence

TOKENS, STEPS_PER_TOKEN = 50, 7  # a sentence of four seconds


@dataclass(frozen=True)
class Cost:
    """Parameters, multiply-accumulates a frame, and seconds a frame on one thread.

    Of a forward pass at given durations.
    """

    parameters: int
    macs: float
    seconds: float


def cost(tts: AbsTTS, repeats: int = 5) -> Cost:
    """Measure a model on a made-up sentence; its outputs do not matter."""
    sentence = made_up_sentence(tts, TOKENS, STEPS_PER_TOKEN)
    frames = int(sentence["feats_lengths"])
    with torch.no_grad(), on_threads(1):
        with MacCounter() as counter:
            tts.eval()(**sentence)
        seconds = median(_seconds(tts, sentence) for _ in range(repeats))
    return Cost(parameters(tts), counter.macs / frames, seconds / frames)


def _seconds(tts: AbsTTS, sentence: dict) -> float:
    start = time.perf_counter()
    tts(**sentence)
    return time.perf_counter() - start
