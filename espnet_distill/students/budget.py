"""Choose a student's sizes by what it may cost."""

import argparse
import math
from collections.abc import Callable

from espnet2.tts.abs_tts import AbsTTS

from espnet_distill.errors import ConfigError
from espnet_distill.progress import watched
from espnet_distill.students.cost import Cost, cost
from espnet_distill.students.shape import Shape, Sizes

MEASURED = 12  # of the shapes that fit, those most like the teacher
BISECTIONS = 6
SMALLEST = 0.02  # share of the teacher's parameters, in the search for a speed


def choose_sizes(
    args: argparse.Namespace, tts: AbsTTS, sizes: Sizes, frames_a_second: float | None
) -> dict[str, int]:
    """Return the sizes, by key, that meet the budget and the objective.

    Args:
        args: Of ``espnet-distill derive``: ``pressure``, ``budget_params`` or
            ``budget_rtf``; ``objective``, ``keep`` and ``floor``.
        tts: The teacher.
        sizes: Its sizes.
        frames_a_second: Mel frames in a second of speech; ``budget_rtf`` needs it.

    Raises:
        ConfigError: A budget that no shape meets.
    """
    floors = dict(args.floor)

    def measured(shape: Shape) -> Cost:
        conf = sizes.conf | shape.sizes
        return cost(type(tts)(tts.idim, tts.odim, **conf))

    if args.budget_rtf:
        return _fast_enough(
            args.budget_rtf / frames_a_second,
            sizes.parameters,
            lambda target: sizes.nearest(target, args.keep, floors),
            measured,
        )
    target = args.budget_params or round((1 - args.pressure) * sizes.parameters)
    found = sizes.shapes(target, args.keep, floors)
    if args.objective == "params":
        return found[0].sizes
    attribute = {"macs": "macs", "latency": "seconds"}[args.objective]
    costs = [
        getattr(measured(shape), attribute)
        for shape in watched(found[:MEASURED], desc="shapes", leave=False)
    ]
    return found[costs.index(min(costs))].sizes


def _fast_enough(
    seconds: float, most: int, nearest_shape: Callable, measured: Callable
) -> dict[str, int]:
    """The sizes of the largest shape that takes so many seconds a frame."""
    best, least = None, math.inf
    low, high = SMALLEST * most, float(most)
    for turn in watched(range(1 + BISECTIONS), desc="shapes", leave=False):
        target = round(math.sqrt(low * high)) if turn else most
        shape = nearest_shape(target)
        found = measured(shape).seconds
        least = min(least, found)
        if found <= seconds:
            best, low = shape, target
        else:
            high = target
    if best is None:
        raise ConfigError(
            f"--budget-rtf: no shape of {SMALLEST:.0%} of the parameters or more is "
            f"so fast here; the nearest takes {least / seconds:.1f} times as long"
        )
    return best.sizes
