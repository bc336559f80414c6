"""What each width of a model costs in time, measured."""

import time
from collections.abc import Sequence

from espnet_distill.profiling.dummy_input import seconds_a_frame
from espnet_distill.structure.config_dims import ConfigDim, count
from espnet_distill.students.infer_config import ConfigSpace

MOST = 3.0  # an exponent, and one over the least


STEEPNESS = 1.5


NOTICED = 0.02  # of the time: what halving a width saves, or it counts as average


def latency_scales(
    described: ConfigSpace, config_dims: Sequence[ConfigDim], repeats: int = 7
) -> dict[str, float]:
    """Return an exponent for each width, so that costly units go first.

    It is the seconds that a parameter of a width costs over those that a parameter
    costs on average, to the power of STEEPNESS; they are found by halving one width
    after another.

    Args:
        described: The configuration.
        config_dims: Its widths.
        repeats: How often each model is measured, in alternation.
    """
    kind, dims = described.kind, described.dims
    confs = [
        described.conf | {config_dim.key: config_dim.value // 2}
        for config_dim in config_dims
    ]
    models = [kind(**dims, **conf) for conf in (described.conf, *confs)]
    whole, *halved = seconds_a_frame(models, repeats, time.thread_time)
    saved = [max(whole - seconds, 0.0) for seconds in halved]
    parameters = [
        count(described.shapes) - count(config_dim.halved) for config_dim in config_dims
    ]
    average = sum(saved) / sum(parameters)
    return {
        config_dim.key: _bounded((seconds / number / average) ** STEEPNESS)
        if seconds > NOTICED * whole
        else 1.0
        for config_dim, seconds, number in zip(config_dims, saved, parameters)
    }


def _bounded(exponent: float) -> float:
    return min(max(exponent, 1 / MOST), MOST)
