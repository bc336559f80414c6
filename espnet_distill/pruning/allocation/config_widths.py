"""Choose the widths of a stock configuration that reach a pressure."""

import math
from collections.abc import Mapping, Sequence

from espnet_distill.errors import ConfigError
from espnet_distill.pruning.allocation.unit_counts import allocate_units
from espnet_distill.structure.config_dims import MULTIPLE, Shapes, count, shapes_of
from espnet_distill.structure.groups import Group
from espnet_distill.structure.residual import is_stream, with_position_readers
from espnet_distill.students.infer_config import ConfigSpace
from espnet_distill.students.size_search import style_heads

MIN_KEPT = (
    0.25  # fraction of units that other groups keep while the residual width stays
)


class Widths:
    """Config widths of a model, each with the pruning groups whose size it sets."""

    def __init__(self, space: ConfigSpace, groups: Sequence[Group]):
        """Assign each group to the config dimension that sets its size.

        Args:
            space: The configuration and its dimensions.
            groups: The pruning groups of its model, from ``groups_of``.
        """
        self._space = space
        self.config_dims = [
            config_dim for config_dim in space.config_dims if not config_dim.is_depth
        ]
        self._tied = {}
        self.stream: str | None = None
        for config_dim in self.config_dims:
            axes = config_dim.own_axes(space.shapes)
            matched = [g for g in groups if any(axis in g for axis in axes)]
            if any(map(is_stream, matched)):
                self.stream = config_dim.key
                matched = with_position_readers(matched, space.shapes)
            if matched:
                self._tied[config_dim.key] = _union(matched)

    def choose(
        self, pressure: float, scales: Mapping[str, float] | None = None
    ) -> dict[str, int]:
        """Return the widths, by config key, that reach a pressure.

        The residual width stays the same if the other groups then keep a quarter of
        their units.

        Args:
            pressure: Target parameter sparsity, 0 <= pressure < 1.
            scales: Exponents by key, see ``allocate_units``.

        Raises:
            ConfigError: No widths reach the pressure.
        """
        scales, shapes = scales or {}, self._space.shapes
        others = {key: g for key, g in self._tied.items() if key != self.stream}
        if self.stream is None:
            return self._allocate(others, shapes, pressure, scales)
        try:
            return self._allocate(others, shapes, pressure, scales, MIN_KEPT)
        except ConfigError:
            width = self._stream_width(pressure, scales)
        narrow = self._space.conf | {self.stream: width}
        narrow_shapes = shapes_of(self._space.build(narrow))
        remaining = 1 - (1 - pressure) * count(shapes) / count(narrow_shapes)
        widths = self._allocate(others, narrow_shapes, remaining, scales)
        return {self.stream: width} | widths

    def _allocate(
        self,
        tied: Mapping[str, Group],
        shapes: Shapes,
        pressure: float,
        scales: Mapping[str, float],
        floor: float = 0.0,
    ) -> dict[str, int]:
        exponents = [scales.get(key, 1.0) for key in tied]
        counts = allocate_units(
            list(tied.values()), shapes, pressure, floor, scales=exponents
        )
        values = {config_dim.key: config_dim.value for config_dim in self.config_dims}
        return {
            key: values[key] * number // group.size
            for (key, group), number in zip(tied.items(), counts)
        }

    def _stream_width(self, pressure: float, scales: Mapping[str, float]) -> int:
        """Return the residual width for a pressure, a multiple of the heads."""
        allocated = self._allocate(self._tied, self._space.shapes, pressure, scales)
        conf = self._space.sizes.conf
        divisor = math.lcm(2 * conf.get("aheads", 1), style_heads(conf))
        is_large = conf[self.stream] > 4 * MULTIPLE
        step = math.lcm(MULTIPLE, divisor) if is_large else divisor
        target = (1 - pressure) * count(self._space.shapes)
        width = max(step * round(allocated[self.stream] / step), step)
        while self._count(width) < target:
            width += step
        return min(width, conf[self.stream])

    def _count(self, width: int) -> int:
        conf = self._space.conf | {self.stream: width}
        return count(shapes_of(self._space.build(conf)))


def _union(groups: Sequence[Group]) -> Group:
    """Join groups of equal size into one, so that they lose the same units.

    Smaller groups, such as those of style tokens, are left out: they are few.
    """
    size = max(group.size for group in groups)
    axes = [axis for g in groups if g.size == size for axis in g.axes]
    return Group(size, tuple(axes))
