"""Search the widths and depths of a student of a given size or speed."""

import inspect
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from espnet2.tts.abs_tts import AbsTTS

from espnet_distill.errors import ConfigError
from espnet_distill.profiling.dummy_input import Cost, cost
from espnet_distill.structure.config_dims import (
    MULTIPLE,
    ConfigDim,
    WidthModel,
    count,
    find_config_dims,
    shapes_of,
)
from espnet_distill.utils.bisection import bisect, geometric_mean, nearest_root
from espnet_distill.utils.progress import progress_bar

TOLERANCE = 0.03


FACTORS = (0.01, 1.0)  # of the teacher's widths


HALVINGS = 14


DEPTHS = (1.0, 0.75, 0.5)  # candidate fractions of the teacher's layers


IMBALANCE = math.log(2)  # greatest, between scales of the stream and of other widths


# Keys that the data determine.
FIXED = (
    *("idim", "odim", "reduction_factor", "spks", "langs", "spk_embed_dim"),
    "gst_tokens",  # a masked token would still have weight in the softmax
)


@dataclass(frozen=True)
class Shape:
    """Sizes of a student, by key, with its parameters and its distance to the teacher.

    Attributes:
        sizes: Key → size.
        parameters: Number of parameters.
        distance: Distance to the teacher's shape: 0 if all widths are scaled by one
            factor at full depth, infinite beyond ``IMBALANCE``.
    """

    sizes: dict[str, int]
    parameters: int
    distance: float


def with_defaults(kind: type[AbsTTS], conf: Mapping) -> dict:
    """Return a configuration completed with the defaults of a class."""
    return _defaults(kind) | dict(conf)


def style_heads(conf: Mapping) -> int:
    """Return the number of heads of style tokens, which divides their width; else 1."""
    return conf.get("gst_heads", 1) if conf.get("use_gst") else 1


def _defaults(kind: type[AbsTTS]) -> dict:
    """Return the defaults of a class, and of the bases to which it passes its keys."""
    defaults: dict = {}
    takes = None
    for base in kind.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters.values()
        new = {p.name: p.default for p in parameters if p.default is not p.empty}
        new = {key: new[key] for key in new if takes is None or takes(key)}
        defaults = new | defaults
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
        takes = getattr(base, "takes", takes)
    return defaults


class Sizes:
    """Search space of sizes of a class, bounded by a teacher's configuration."""

    def __init__(self, kind: type[AbsTTS], idim: int, odim: int, conf: Mapping):
        self.conf = with_defaults(kind, conf)
        self._kind, self._dims = kind, {"idim": idim, "odim": odim}
        self.config_dims = self._find(self.conf)
        self.parameters = count(shapes_of(self.build(self.conf)))
        self._step = math.lcm(MULTIPLE, style_heads(self.conf))

    def build(self, conf: Mapping) -> AbsTTS:
        """Build a model of the class without weights."""
        logger, level = logging.getLogger(), logging.getLogger().level
        logger.setLevel(logging.ERROR)  # a conformer logs a warning at each build
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
        """Return the teacher's config dimensions at the depths of ``conf``.

        A stack that ``conf`` has not at all is as deep as the teacher's, which keeps it:
        see ``drop_layers``.
        """
        conf = with_defaults(self._kind, conf)
        layers = {
            config_dim.key: conf[config_dim.key] or config_dim.value
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
        """Return shapes of ``target`` parameters within TOLERANCE, by distance.

        Args:
            target: Number of parameters.
            keep: Keys that keep the teacher's values; "depth" and "width" mean all
                depths and all widths.
            floors: Key → least size.

        Raises:
            ConfigError: A key that is no config dimension; a target out of reach.
        """
        candidates = self._around(target, keep, floors or {})
        matching = [
            shape
            for shape in candidates
            if abs(shape.parameters / target - 1) <= TOLERANCE
            and math.isfinite(shape.distance)
        ]
        if not matching:
            shape = min(candidates, key=lambda s: abs(s.parameters - target))
            nearest = shape.parameters
            raise ConfigError(
                f"no shape has {target:,} parameters; the nearest has {nearest:,}, "
                f"pressure {1 - nearest / self.parameters:.3f}"
            )
        return sorted(matching, key=lambda shape: shape.distance)

    def nearest(
        self,
        target: int,
        keep: Sequence[str] = (),
        floors: Mapping[str, int] | None = None,
    ) -> Shape:
        """Return the shape nearest to ``target`` parameters; see :meth:`shapes`.

        A shape of infinite ``distance`` is returned only if there is no other.
        """
        return min(
            self._around(target, keep, floors or {}),
            key=lambda shape: (
                math.isinf(shape.distance),
                abs(shape.parameters - target),
            ),
        )

    def _around(
        self, target: int, keep: Sequence[str], floors: Mapping[str, int]
    ) -> list[Shape]:
        """Return the shape nearest to a target for each depth and stream width."""
        keys = [config_dim.key for config_dim in self.config_dims]
        for key in (*keep, *floors):
            if key not in keys and (key in floors or key not in ("depth", "width")):
                raise ConfigError(
                    f"{key}: is no size of this class; there are {', '.join(keys)}"
                )
        shapes = [
            shape
            for depth in ((1.0,) if "depth" in keep else DEPTHS)
            for shape in self._at_depth(depth, target, keep, floors)
        ]
        if not shapes:
            sizes = ", ".join(f"{key}={least}" for key, least in floors.items())
            raise ConfigError(f"no shape has sizes of at least {sizes or MULTIPLE}")
        return shapes

    def _at_depth(
        self, depth: float, target: int, keep: Sequence[str], floors: Mapping[str, int]
    ) -> Iterator[Shape]:
        """Yield the shape nearest to the target for each stream width."""
        layers = {
            config_dim.key: max(
                round(config_dim.value * depth), floors.get(config_dim.key, 1)
            )
            for config_dim in self.config_dims
            if config_dim.is_depth and not {config_dim.key, "depth"} & set(keep)
        }
        conf = self.conf | layers
        config_dims = [
            config_dim for config_dim in self._find(conf) if not config_dim.is_depth
        ]
        widths = WidthModel(shapes_of(self.build(conf)), config_dims)
        stream = max(config_dims, key=widths.reach)
        free = [] if "width" in keep else [k for k in config_dims if k.key not in keep]
        others = [config_dim for config_dim in free if config_dim is not stream]

        def scaled(factor: float) -> dict[str, int]:
            return {
                config_dim.key: _scaled(config_dim, factor, self._step, floors)
                for config_dim in others
            }

        for width in self._stream_widths(stream, floors) if stream in free else [None]:
            fixed = {} if width is None else {stream.key: width}
            factor = nearest_root(
                lambda f: widths.parameters(fixed | scaled(f)) - target,
                *FACTORS,
                HALVINGS,
                geometric_mean,
            )
            sizes = fixed | scaled(factor)
            imbalance = abs(math.log(factor * stream.value / width)) if width else 0.0
            distance = imbalance - math.log(depth)
            if imbalance > IMBALANCE:
                distance = math.inf
            yield Shape(layers | sizes, widths.parameters(sizes), distance)

    def _stream_widths(self, stream: ConfigDim, floors: Mapping[str, int]) -> list[int]:
        """Return the widths divisible by the heads and the positional encoding."""
        step = math.lcm(self._step, 2 * self.conf.get("aheads", 1))
        least = floors.get(stream.key, step)
        return [
            width for width in range(step, stream.value + 1, step) if width >= least
        ]


def _scaled(
    config_dim: ConfigDim, factor: float, step: int, floors: Mapping[str, int]
) -> int:
    """Return a width scaled by a factor, rounded to ``step`` and within its bounds."""
    size = max(
        step * round(config_dim.value * factor / step),
        step,
        floors.get(config_dim.key, 1),
    )
    return min(size, config_dim.value)


MEASURED = 12  # number of the most similar shapes whose cost is measured


MEASUREMENTS = 6  # number of halvings in the search by speed


SMALLEST = 0.02  # fraction of the teacher's parameters, in the search by speed


@dataclass(frozen=True)
class SizeBudget:
    """The size of a student: one of ``pressure``, ``parameters`` and ``rtf``.

    Attributes:
        pressure: Share of the teacher's parameters to remove, from 0 to below 1.
        parameters: Number of parameters.
        rtf: Real-time factor, text to mel, on one thread of this machine.
        allocate_by: Of the shapes with the number of parameters, the most similar to
            the teacher (``params``), that of fewest operations (``macs``) or the
            fastest (``latency``).
        keep: Keys of ``tts_conf`` whose values stay; ``depth`` and ``width`` stand for
            all such keys.
        floor: Smallest value of a size, by its key of ``tts_conf``.
    """

    pressure: float | None = None
    parameters: int | None = None
    rtf: float | None = None
    allocate_by: str = "params"
    keep: Sequence[str] = ()
    floor: Mapping[str, int] = field(default_factory=dict)


def choose_sizes(
    budget: SizeBudget, tts: AbsTTS, sizes: Sizes, frames_per_second: float | None
) -> dict[str, int]:
    """Return the sizes, by key of ``tts_conf``, that meet a budget.

    Args:
        budget: The budget.
        tts: The teacher.
        sizes: Its sizes.
        frames_per_second: Mel frames per second of speech, for ``rtf``.

    Raises:
        ConfigError: A budget that no shape meets.
    """

    def measure(shape: Shape) -> Cost:
        conf = sizes.conf | shape.sizes
        return cost(type(tts)(tts.idim, tts.odim, **conf))

    if budget.rtf:
        return _fast_enough(
            budget.rtf / frames_per_second,
            sizes.parameters,
            lambda target: sizes.nearest(target, budget.keep, budget.floor),
            measure,
        )
    target = budget.parameters or round((1 - budget.pressure) * sizes.parameters)
    shapes = sizes.shapes(target, budget.keep, budget.floor)
    if budget.allocate_by == "params":
        return shapes[0].sizes
    attribute = {"macs": "macs", "latency": "seconds"}[budget.allocate_by]
    costs = [
        getattr(measure(shape), attribute)
        for shape in progress_bar(shapes[:MEASURED], desc="shapes", leave=False)
    ]
    return shapes[costs.index(min(costs))].sizes


def _fast_enough(
    seconds: float, most: int, nearest_shape: Callable, measure: Callable
) -> dict[str, int]:
    """Return the sizes of the largest shape that needs at most ``seconds`` a frame."""
    best, fastest = None, math.inf

    def is_fast_enough(target: int) -> bool:
        nonlocal best, fastest
        shape = nearest_shape(target)
        duration = measure(shape).seconds
        fastest = min(fastest, duration)
        if duration <= seconds:
            best = shape
        progress.update()
        return duration <= seconds

    def middle(low: float, high: float) -> int:
        return round(geometric_mean(low, high))

    with progress_bar(total=1 + MEASUREMENTS, desc="shapes", leave=False) as progress:
        if not is_fast_enough(most):
            bisect(is_fast_enough, SMALLEST * most, most, MEASUREMENTS, middle)
    if best is None:
        raise ConfigError(
            f"--budget-rtf: no shape of {SMALLEST:.0%} of the parameters or more is "
            f"so fast here; the nearest takes {fastest / seconds:.1f} times as long"
        )
    return best.sizes
