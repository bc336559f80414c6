"""Measure the latency of each config width."""

import time
from collections.abc import Sequence

from espnet_distill.profiling.dummy_input import seconds_a_frame
from espnet_distill.structure.config_dims import ConfigDim, count
from espnet_distill.students.infer_config import ConfigSpace

MAX_EXPONENT = 3.0  # the smallest exponent is its reciprocal


STEEPNESS = 1.5


MIN_SAVING = 0.02  # of the latency, by halving a width; below it the exponent is 1


def latency_scales(
    space: ConfigSpace, config_dims: Sequence[ConfigDim], repeats: int = 7
) -> dict[str, float]:
    """Return an exponent for each width, by which units of high latency go first.

    The exponent is (latency per parameter of the width / mean latency per parameter) **
    STEEPNESS. The latency of a width is measured by halving that width alone.

    Args:
        space: The configuration and its dimensions.
        config_dims: The widths of the configuration.
        repeats: Number of measurements of each model; the models alternate.
    """
    kind, dims = space.kind, space.dims
    confs = [
        space.conf | {config_dim.key: config_dim.value // 2}
        for config_dim in config_dims
    ]
    models = [kind(**dims, **conf) for conf in (space.conf, *confs)]
    whole, *halved = seconds_a_frame(models, repeats, time.thread_time)
    saved = [max(whole - seconds, 0.0) for seconds in halved]
    parameters = [
        count(space.shapes) - count(config_dim.halved) for config_dim in config_dims
    ]
    average = sum(saved) / sum(parameters)
    return {
        config_dim.key: _bounded((seconds / number / average) ** STEEPNESS)
        if seconds > MIN_SAVING * whole
        else 1.0
        for config_dim, seconds, number in zip(config_dims, saved, parameters)
    }


def _bounded(exponent: float) -> float:
    return min(max(exponent, 1 / MAX_EXPONENT), MAX_EXPONENT)
