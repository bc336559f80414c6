"""Config dimensions: keys of a configuration that set widths and depths of a model.

They are inferred by building the model at two sizes and comparing the shapes.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from torch import nn

Shapes = dict[str, tuple[int, ...]]


MOST_DIMS = 4


@dataclass(frozen=True)
class ConfigDim:
    """A key of the configuration, its value, and the model's shapes at half of it.

    Attributes:
        key: The key.
        value: Its value.
        is_depth: Whether the key sets a number of layers.
        halved: The model's shapes at ``value // 2``.
    """

    key: str
    value: int
    is_depth: bool
    halved: Shapes

    def lengths(self, whole: Shapes) -> dict[tuple[str, int], int]:
        """Return the length of each axis (parameter, dim) that scales with the width.

        Args:
            whole: Shapes of the model at ``value``.
        """
        difference = self.value - self.value // 2
        return {
            (name, dim): (length - halved) * self.value // difference
            for name, shape in whole.items()
            for dim, (length, halved) in enumerate(zip(shape, self.halved[name]))
            if length != halved
        }

    def own_axes(self, whole: Shapes) -> dict[tuple[str, int], int]:
        """Return the axes that scale with this width alone, with their lengths."""
        return {
            (name, dim): length
            for (name, dim), length in self.lengths(whole).items()
            if length == whole[name][dim]
        }


MULTIPLE = 8  # of widths and ranks, for fast kernels


def find_config_dims(
    build: Callable[[dict], nn.Module], conf: Mapping
) -> list[ConfigDim]:
    """Return the config dimensions of a configuration.

    Args:
        build: Builds a model from a configuration, on the meta device or any other.
        conf: The configuration, with every candidate key.

    Returns:
        The integers above 1 whose halving removes layers or units and keeps the
        model's inputs and outputs. A kernel size is not a config dimension.
    """
    whole = shapes_of(build(dict(conf)))
    config_dims = []
    for key, value in conf.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 2:
            continue
        try:
            halved = shapes_of(build({**conf, key: value // 2}))
        except Exception:  # classes reject invalid sizes with different errors
            continue
        if not set(halved) <= set(whole) or count(halved) >= count(whole):
            continue
        is_depth = len(halved) < len(whole)
        is_width = any(whole[name][:2] != shape[:2] for name, shape in halved.items())
        if is_depth or is_width:
            config_dims.append(ConfigDim(key, value, is_depth, halved))
    return config_dims


def shapes_of(model: nn.Module) -> Shapes:
    """Return the shapes of a model's parameters by name."""
    return {name: tuple(p.shape) for name, p in model.named_parameters()}


def count(shapes: Shapes) -> int:
    """Count the elements of parameters of these shapes."""
    return sum(map(math.prod, shapes.values()))


class WidthModel:
    """Linear model of each dimension of each parameter in the widths of a model."""

    def __init__(self, whole: Shapes, config_dims: list[ConfigDim]):
        """Fit the slopes to the shapes of a model and those at half of each width.

        Args:
            whole: Shapes of the model.
            config_dims: Its widths.
        """
        self.config_dims = config_dims
        self._whole = _array(whole, whole)
        steps = [_array(config_dim.halved, whole) for config_dim in config_dims]
        self._slopes = [
            (self._whole - halved) / (config_dim.value - config_dim.value // 2)
            for config_dim, halved in zip(config_dims, steps)
        ]

    def parameters(self, sizes: Mapping[str, int]) -> int:
        """Count the parameters of the model with these widths, by key, changed."""
        dims = self._whole.copy()
        for config_dim, slope in zip(self.config_dims, self._slopes):
            dims += slope * (
                sizes.get(config_dim.key, config_dim.value) - config_dim.value
            )
        return round(dims.prod(axis=1).sum())

    def reach(self, config_dim: ConfigDim) -> int:
        """Count the named parameters whose shapes depend on a config dimension."""
        return int(
            (self._slopes[self.config_dims.index(config_dim)] != 0).any(axis=1).sum()
        )


def _array(shapes: Shapes, names: Shapes) -> np.ndarray:
    """Return shapes as rows (parameters, MOST_DIMS), padded with ones."""
    rows = [(*shapes[name], *(1,) * MOST_DIMS)[:MOST_DIMS] for name in names]
    return np.array(rows, float)
