"""Stacks of layers: their depths, and the layers that stay."""

import re
from collections.abc import Mapping, Sequence

from torch import nn


def depths(names) -> dict[str, int]:
    """Return the depth of each numbered stack in parameter names."""
    result: dict[str, int] = {}
    for name in names:
        for number in re.finditer(r"\.(\d+)\.", name):
            stack = name[: number.start()]
            result[stack] = max(result.get(stack, 0), int(number[1]) + 1)
    return result


def spread_evenly(depth: int, kept: int) -> list[int]:
    """Choose ``kept`` of ``depth`` layers, first and last among them."""
    if kept == 1:
        return [0]
    return [round(place * (depth - 1) / (kept - 1)) for place in range(kept)]


def keep_layers(model: nn.Module, layers: Mapping[str, Sequence[int]]) -> None:
    """Remove all layers of each stack but those given, in place."""
    for stack, kept in layers.items():
        container = model.get_submodule(stack)
        for number in reversed(range(len(container))):
            if number not in kept:
                del container[number]
