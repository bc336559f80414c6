"""Search the widths and depths of a student of a given size or speed."""

import argparse
import inspect
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from espnet2.tts.abs_tts import AbsTTS

from espnet_distill.errors import ConfigError
from espnet_distill.profiling.dummy_input import Cost, cost
from espnet_distill.structure.config_dims import (
    ConfigDim,
    Widths,
    count,
    find_config_dims,
    shapes_of,
)
from espnet_distill.utils.progress import progress_bar

TOLERANCE = 0.03


STEP = 8  # widths are multiples of it, as kernels like them


DEPTHS = (1.0, 0.75, 0.5)  # shares of the layers that a student may keep


IMBALANCE = math.log(2)  # at most, between the stream's shrinking and all others'


# What belongs to the data, not to the model's size.
FIXED = (
    *("idim", "odim", "reduction_factor", "spks", "langs", "spk_embed_dim"),
    "gst_tokens",  # each has a part in a softmax, which a mask does not take away
)


@dataclass(frozen=True)
class Shape:
    """Sizes by key, the parameters they come to, and how unlike the teacher they are.

    ``unlikeness`` is 0 for all widths shrunk by one factor at full depth, and infinite
    where the residual stream shrinks by another factor altogether.
    """

    sizes: dict[str, int]
    parameters: int
    unlikeness: float


def with_defaults(kind: type[AbsTTS], conf: Mapping) -> dict:
    """Return a class's configuration with what it does not say."""
    return _defaults(kind) | dict(conf)


def style_heads(conf: Mapping) -> int:
    """Return what divides the width of style tokens, 1 without any."""
    return conf.get("gst_heads", 1) if conf.get("use_gst") else 1


def _defaults(kind: type[AbsTTS]) -> dict:
    """Defaults of a class and of those behind it that it hands further keys to."""
    found: dict = {}
    takes = None
    for base in kind.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters.values()
        own = {p.name: p.default for p in parameters if p.default is not p.empty}
        found = {key: own[key] for key in own if takes is None or takes(key)} | found
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
        takes = getattr(base, "takes", takes)
    return found


class Sizes:
    """The sizes that models of a class can have, around a teacher's configuration."""

    def __init__(self, kind: type[AbsTTS], idim: int, odim: int, conf: Mapping):
        self.conf = with_defaults(kind, conf)
        self._kind, self._dims = kind, {"idim": idim, "odim": odim}
        self.config_dims = self._find(self.conf)
        self.parameters = count(shapes_of(self.build(self.conf)))
        self._step = math.lcm(STEP, style_heads(self.conf))

    def build(self, conf: Mapping) -> AbsTTS:
        """Build a model of the class without weights."""
        logger, level = logging.getLogger(), logging.getLogger().level
        logger.setLevel(logging.ERROR)  # a conformer repeats its advice each time
        try:
            with torch.device("meta"):
                return self._kind(**self._dims, **conf)
        finally:
            logger.setLevel(level)

    def _find(self, conf: Mapping) -> list[ConfigDim]:
        fixed = {key: value for key, value in conf.items() if key in FIXED}
        free = {key: value for key, value in conf.items() if key not in FIXED}
        return find_config_dims(lambda sizes: self.build(fixed | sizes), free)

    def config_dims_at_depth_of(self, conf: Mapping) -> list[ConfigDim]:
        """Return the config dimensions of the teacher as deep as another configuration's model."""
        conf = with_defaults(self._kind, conf)
        layers = {
            config_dim.key: conf[config_dim.key]
            for config_dim in self.config_dims
            if config_dim.is_depth
        }
        return self._find(self.conf | layers)

    def shapes(
        self,
        target: int,
        keep: Sequence[str] = (),
        floors: Mapping[str, int] | None = None,
    ) -> list[Shape]:
        """Return shapes of ``target`` parameters within TOLERANCE, most alike first.

        Args:
            target: The parameters wanted.
            keep: Keys that stay as they are; "depth" and "width" stand for all such.
            floors: The least that a key may become.

        Raises:
            ConfigError: A key that is no config dimension; a target that no shape meets.
        """
        tried = self._around(target, keep, floors or {})
        found = [
            shape
            for shape in tried
            if abs(shape.parameters / target - 1) <= TOLERANCE
            and math.isfinite(shape.unlikeness)
        ]
        if not found:
            near = min(tried, key=lambda s: abs(s.parameters - target)).parameters
            raise ConfigError(
                f"no shape has {target:,} parameters; the nearest has {near:,}, "
                f"pressure {1 - near / self.parameters:.3f}"
            )
        return sorted(found, key=lambda shape: shape.unlikeness)

    def nearest(
        self,
        target: int,
        keep: Sequence[str] = (),
        floors: Mapping[str, int] | None = None,
    ) -> Shape:
        """Return the shape nearest to ``target`` parameters; see :meth:`shapes`.

        One that is altogether unlike the teacher only if there is no other.
        """
        return min(
            self._around(target, keep, floors or {}),
            key=lambda shape: (
                math.isinf(shape.unlikeness),
                abs(shape.parameters - target),
            ),
        )

    def _around(
        self, target: int, keep: Sequence[str], floors: Mapping[str, int]
    ) -> list[Shape]:
        known = [config_dim.key for config_dim in self.config_dims]
        for key in (*keep, *floors):
            if key not in known and (key in floors or key not in ("depth", "width")):
                raise ConfigError(
                    f"{key}: is no size of it; there are {', '.join(known)}"
                )
        found = [
            shape
            for share in ((1.0,) if "depth" in keep else DEPTHS)
            for shape in self._at_depth(share, target, keep, floors)
        ]
        if not found:
            sizes = ", ".join(f"{key}={least}" for key, least in floors.items())
            raise ConfigError(f"no shape has sizes of at least {sizes or 8}")
        return found

    def _at_depth(
        self, share: float, target: int, keep: Sequence[str], floors: Mapping[str, int]
    ) -> Iterator[Shape]:
        """Yield for each width of the stream the shape nearest to the target."""
        layers = {
            config_dim.key: max(
                round(config_dim.value * share), floors.get(config_dim.key, 1)
            )
            for config_dim in self.config_dims
            if config_dim.is_depth and not {config_dim.key, "depth"} & set(keep)
        }
        conf = self.conf | layers
        config_dims = [
            config_dim for config_dim in self._find(conf) if not config_dim.is_depth
        ]
        widths = Widths(shapes_of(self.build(conf)), config_dims)
        stream = max(config_dims, key=widths.reach)
        free = [] if "width" in keep else [k for k in config_dims if k.key not in keep]
        others = [config_dim for config_dim in free if config_dim is not stream]

        def scaled(factor: float) -> dict[str, int]:
            return {
                config_dim.key: _scaled(config_dim, factor, self._step, floors)
                for config_dim in others
            }

        for width in self._stream_widths(stream, floors) if stream in free else [None]:
            own = {} if width is None else {stream.key: width}
            factor = _solve(lambda f: widths.parameters(own | scaled(f)), target)
            sizes = own | scaled(factor)
            imbalance = abs(math.log(factor * stream.value / width)) if width else 0.0
            unlikeness = imbalance - math.log(share)
            if imbalance > IMBALANCE:
                unlikeness = math.inf
            yield Shape(layers | sizes, widths.parameters(sizes), unlikeness)

    def _stream_widths(self, stream: ConfigDim, floors: Mapping[str, int]) -> list[int]:
        """Widths that heads and positions divide."""
        step = math.lcm(self._step, 2 * self.conf.get("aheads", 1))
        least = floors.get(stream.key, step)
        return [
            width for width in range(step, stream.value + 1, step) if width >= least
        ]


def _scaled(
    config_dim: ConfigDim, factor: float, step: int, floors: Mapping[str, int]
) -> int:
    size = max(
        step * round(config_dim.value * factor / step),
        step,
        floors.get(config_dim.key, 1),
    )
    return min(size, config_dim.value)


def _solve(parameters: Callable[[float], int], target: int, steps: int = 14) -> float:
    """The factor in (0, 1] at which a rising count comes nearest to the target."""
    low, high = 0.01, 1.0
    best = high
    for _ in range(steps):
        middle = math.sqrt(low * high)
        found = parameters(middle)
        if abs(found - target) < abs(parameters(best) - target):
            best = middle
        low, high = (middle, high) if found < target else (low, middle)
    return best


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
        for shape in progress_bar(found[:MEASURED], desc="shapes", leave=False)
    ]
    return found[costs.index(min(costs))].sizes


def _fast_enough(
    seconds: float, most: int, nearest_shape: Callable, measured: Callable
) -> dict[str, int]:
    """The sizes of the largest shape that takes so many seconds a frame."""
    best, least = None, math.inf
    low, high = SMALLEST * most, float(most)
    for turn in progress_bar(range(1 + BISECTIONS), desc="shapes", leave=False):
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
