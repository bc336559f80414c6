"""Residual streams: what every layer reads and adds to."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from espnet_distill.structure.coupling import Axis, Group

INSIDE = ("linear_q.weight", "pointwise_conv1.weight")


def is_stream(group: Group) -> bool:
    """Tell whether a group is a residual stream.

    Attention reads it, or it runs from the embedding of the tokens to the mel.
    """
    through = _reads(group, "embed.weight") and _reads(group, "feat_out.weight")
    return has_positions(group) or through


def has_positions(group: Group) -> bool:
    """Tell whether a group is a stream that a table of positions is added to."""
    return _reads(group, "linear_q.weight")


def is_inside(group: Group, streams: Sequence[Group]) -> bool:
    """Tell whether stock ESPnet has as many of a group's units as its stream has.

    Those are the channels of attention that reads a stream, and of a conformer's
    convolutions.
    """
    return any(
        axis.parameter.endswith(INSIDE) and (axis.parameter, 1) in stream
        for axis in group.axes
        if axis.dim == 0
        for stream in streams
    )


def _reads(group: Group, name: str) -> bool:
    return any(a.dim == 1 and a.parameter.endswith(name) for a in group.axes)


def is_attention(group: Group) -> bool:
    """Tell whether a group's units are channels of queries, keys and values."""
    return any(
        axis.dim == 0 and axis.parameter.endswith("linear_q.weight")
        for axis in group.axes
    )


def with_unseen_readers(
    groups: list[Group], shapes: Mapping[str, tuple[int, ...]]
) -> list[Group]:
    """Add to the residual streams what reads them where autograd does not see.

    A table of positions, or a predictor behind a stopped gradient, reads what its
    neighbour before it reads: it is as wide, and no group's.
    """
    unseen: dict[int, list[Axis]] = {id(group): [] for group in groups}
    stream = None
    for name, shape in shapes.items():
        if len(shape) < 2:
            continue
        readers = [group for group in groups if (name, 1) in group]
        stream = next(filter(is_stream, readers), stream)
        if not readers and stream and shape[1] == stream.size:
            places = torch.arange(stream.size)[None]
            unseen[id(stream)].append(Axis(name, 1, places))
    return [replace(group, axes=(*group.axes, *unseen[id(group)])) for group in groups]
