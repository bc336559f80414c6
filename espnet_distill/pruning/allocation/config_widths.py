"""The widths of a stock configuration that leave so much of a model."""

import math
from collections.abc import Mapping, Sequence

from espnet_distill.errors import ConfigError
from espnet_distill.pruning.allocation.unit_counts import MULTIPLE, allocate_units
from espnet_distill.structure.config_dims import Shapes, count, shapes_of
from espnet_distill.structure.groups import Group
from espnet_distill.structure.residual import is_stream, with_position_readers
from espnet_distill.students.infer_config import ConfigSpace
from espnet_distill.students.size_search import style_heads

SPARED = 0.25  # share of their units that others keep if the residual width stays


class Widths:
    """The widths of a class of models, each with all the units that it governs."""

    def __init__(self, described: ConfigSpace, groups: Sequence[Group]):
        """Sort groups by what governs them.

        Args:
            described: The configuration.
            groups: Its model's, as ``groups_of`` finds them.
        """
        self._described = described
        self.config_dims = [
            config_dim
            for config_dim in described.config_dims
            if not config_dim.is_depth
        ]
        self._tied = {}
        self.stream: str | None = None
        for config_dim in self.config_dims:
            axes = config_dim.own_axes(described.shapes)
            own = [g for g in groups if any(axis in g for axis in axes)]
            if any(map(is_stream, own)):
                self.stream = config_dim.key
                own = with_position_readers(own, described.shapes)
            if own:
                self._tied[config_dim.key] = _union(own)

    def choose(
        self, pressure: float, scales: Mapping[str, float] | None = None
    ) -> dict[str, int]:
        """Return the sizes, by key, that take this share of the parameters away.

        The residual width stays if others then keep a quarter of their units.

        Args:
            pressure: From 0 to below 1.
            scales: By key, as ``plan`` takes them.

        Raises:
            ConfigError: A pressure that no widths reach.
        """
        scales, shapes = scales or {}, self._described.shapes
        others = {key: g for key, g in self._tied.items() if key != self.stream}
        if self.stream is None:
            return self._planned(others, shapes, pressure, scales)
        try:
            return self._planned(others, shapes, pressure, scales, SPARED)
        except ConfigError:
            width = self._stream_width(pressure, scales)
        narrow = self._described.conf | {self.stream: width}
        rest = shapes_of(self._described.build(narrow))
        left = 1 - (1 - pressure) * count(shapes) / count(rest)
        return {self.stream: width} | self._planned(others, rest, left, scales)

    def _planned(
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
        """The residual width that shrinks with the others; heads must divide it."""
        planned = self._planned(self._tied, self._described.shapes, pressure, scales)
        whole = self._described.sizes.conf
        pairs = math.lcm(2 * whole.get("aheads", 1), style_heads(whole))
        step = math.lcm(MULTIPLE, pairs) if whole[self.stream] > 4 * MULTIPLE else pairs
        target = (1 - pressure) * count(self._described.shapes)
        width = max(step * round(planned[self.stream] / step), step)
        while self._count(width) < target:
            width += step
        return min(width, whole[self.stream])

    def _count(self, width: int) -> int:
        conf = self._described.conf | {self.stream: width}
        return count(shapes_of(self._described.build(conf)))


def _union(groups: Sequence[Group]) -> Group:
    """Groups of equal size as one, whose units go from all of them.

    Smaller ones, such as those of style tokens, are left out: they are few.
    """
    size = max(group.size for group in groups)
    axes = [axis for g in groups if g.size == size for axis in g.axes]
    return Group(size, tuple(axes))
