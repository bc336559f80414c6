"""What a model that nobody has trained yet will cost."""

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


FEW_TOKENS, FEW_REPEATS = 12, 2  # of one that takes its own frames one by one


@dataclass(frozen=True)
class Cost:
    """Parameters, multiply-accumulates a frame, and seconds a frame on one thread."""

    parameters: int
    macs: float
    seconds: float


def cost(tts: AbsTTS, repeats: int = 5) -> Cost:
    """Measure a model on a dummy sentence; its outputs do not matter.

    The sentence of an autoregressive model is of one second.
    """
    with on_threads(1):
        with MacCounter() as counter:
            run, frames = dummy_durations(tts, _tokens(tts))
        seconds = median(_seconds(run) for _ in range(_repeats(tts, repeats)))
    return Cost(parameters(tts), counter.macs / frames, seconds / frames)


def is_autoregressive(tts: AbsTTS) -> bool:
    """Tell whether a model takes its own frames one by one."""
    return "maxlenratio" in inspect.signature(tts.inference).parameters


def _tokens(tts: AbsTTS) -> int:
    return FEW_TOKENS if is_autoregressive(tts) else TOKENS


def _repeats(tts: AbsTTS, repeats: int) -> int:
    return min(repeats, FEW_REPEATS) if is_autoregressive(tts) else repeats


def seconds_a_frame(
    models: Sequence[AbsTTS], repeats: int = 7, clock: Callable = time.perf_counter
) -> list[float]:
    """Measure models on one thread in alternation, (models,).

    So a machine that has other work meanwhile favours none of them. The sentence of
    autoregressive models is of one second.

    Args:
        models: The models.
        repeats: How often each of them speaks, after once that does not count.
        clock: What tells seconds; ``time.thread_time`` leaves out other work.
    """
    repeats = min(_repeats(tts, repeats) for tts in models)
    runs = [dummy_durations(tts, _tokens(tts)) for tts in models]
    timed: list[list[float]] = [[] for _ in runs]
    with on_threads(1):
        order = list(round_robin(range(len(runs)), 1, repeats + 1))
        for _, place in progress_bar(order, desc="speed", leave=False):
            run, frames = runs[place]
            timed[place].append(_seconds(run, clock) / frames)
    return [median(seconds[1:]) for seconds in timed]


def dummy_durations(tts: AbsTTS, tokens: int = TOKENS) -> tuple[Callable, int]:
    """What makes a model speak a sentence, text to mel, and the frames that come out.

    An autoregressive model takes its own frames one by one, as many as it is told; any
    other is given durations, pitch and energy.
    """
    batch = dummy_batch(tts.eval(), tokens, FRAMES_PER_TOKEN)
    wanted = inspect.signature(tts.inference).parameters
    inputs = {name: x[0] for name, x in batch.items() if name in wanted}
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
