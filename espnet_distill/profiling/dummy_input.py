"""Measure the cost of an untrained model on a dummy sentence."""

import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from espnet2.tts.abs_tts import AbsTTS

from espnet_distill.data.dummy_batch import dummy_batch
from espnet_distill.profiling.macs import MacCounter, parameters
from espnet_distill.profiling.speed import on_threads, round_robin
from espnet_distill.utils.progress import progress_bar

TOKENS, FRAMES_PER_TOKEN = 50, 7  # a sentence of four seconds


FEW_TOKENS, FEW_REPEATS = 12, 2  # for autoregressive models, which are slow


@dataclass(frozen=True)
class Cost:
    """Parameters, multiply-accumulates a frame, and seconds a frame on one thread."""

    parameters: int
    macs: float
    seconds: float


def cost(tts: AbsTTS, repeats: int = 5) -> Cost:
    """Measure a model on a dummy sentence, ignoring its outputs.

    Autoregressive models synthesize one second instead of four.
    """
    with on_threads(1):
        with MacCounter() as counter:
            run, frames = dummy_durations(tts, _tokens(tts))
        seconds = median(_seconds(run) for _ in range(_repeats(tts, repeats)))
    return Cost(parameters(tts), counter.macs / frames, seconds / frames)


def is_autoregressive(tts: AbsTTS) -> bool:
    """Return True if the model feeds its output frames back, one by one."""
    return "maxlenratio" in inspect.signature(tts.inference).parameters


def _tokens(tts: AbsTTS) -> int:
    return FEW_TOKENS if is_autoregressive(tts) else TOKENS


def _repeats(tts: AbsTTS, repeats: int) -> int:
    return min(repeats, FEW_REPEATS) if is_autoregressive(tts) else repeats


def seconds_a_frame(
    models: Sequence[AbsTTS], repeats: int = 7, clock: Callable = time.perf_counter
) -> list[float]:
    """Return the seconds a frame of each model on one thread, (models,).

    The models alternate, so other load on the machine affects all of them alike.
    Autoregressive models synthesize one second instead of four.

    Args:
        models: The models.
        repeats: Timed runs of each model, after one warm-up run.
        clock: Returns seconds; ``time.thread_time`` excludes other processes.
    """
    repeats = min(_repeats(tts, repeats) for tts in models)
    runs = [dummy_durations(tts, _tokens(tts)) for tts in models]
    samples: list[list[float]] = [[] for _ in runs]
    with on_threads(1):
        order = list(round_robin(range(len(runs)), 1, repeats + 1))
        for _, index in progress_bar(order, desc="speed", leave=False):
            run, frames = runs[index]
            samples[index].append(_seconds(run, clock) / frames)
    return [median(seconds[1:]) for seconds in samples]


def dummy_durations(tts: AbsTTS, tokens: int = TOKENS) -> tuple[Callable, int]:
    """Return a function that synthesizes a dummy sentence, and its number of frames.

    An autoregressive model runs for a fixed number of frames; any other model takes
    durations, pitch and energy as inputs.
    """
    batch = dummy_batch(tts.eval(), tokens, FRAMES_PER_TOKEN)
    accepted = inspect.signature(tts.inference).parameters
    inputs = {name: x[0] for name, x in batch.items() if name in accepted}
    if is_autoregressive(tts):
        inputs |= {"minlenratio": FRAMES_PER_TOKEN, "maxlenratio": FRAMES_PER_TOKEN}
    else:
        inputs["use_teacher_forcing"] = True
    run = torch.no_grad()(partial(tts.inference, **inputs))
    return run, len(run()["feat_gen"])


def _seconds(run: Callable, clock: Callable = time.perf_counter) -> float:
    start = clock()
    run()
    return clock() - start
