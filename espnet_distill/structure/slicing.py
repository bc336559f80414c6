"""Slice a model's parameters, and its configuration, to the units that stay."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from espnet_distill.structure.config_dims import ConfigDim, Shapes, shapes_of
from espnet_distill.structure.groups import Group

State = dict[str, torch.Tensor]


def slice_groups(
    state: Mapping[str, torch.Tensor], kept: Sequence[tuple[Group, torch.Tensor]]
) -> State:
    """Keep the given units of each group, in the given order.

    Args:
        state: A model's state dictionary.
        kept: Groups, and the units of each to keep, (units,).

    Returns:
        The sliced state; a flattened tensor stays flat.
    """
    selected: dict[tuple[str, int | None], list[torch.Tensor]] = {}
    whole: dict[tuple[str, int | None], list[torch.Tensor]] = {}
    for group, units in kept:
        for axis in group.axes:
            key = axis.parameter, axis.dim
            selected.setdefault(key, []).append(_select(axis.places, units))
            whole.setdefault(key, []).append(axis.places.flatten())
    sliced = dict(state)
    for (name, dim), places in selected.items():
        tensor = sliced[name].flatten() if dim is None else sliced[name]
        places = _with_ungrouped(places, whole[name, dim], tensor.size(dim or 0))
        sliced[name] = tensor.index_select(dim or 0, places)
    return sliced


def _select(places: torch.Tensor, units: torch.Tensor) -> torch.Tensor:
    """Return the positions of some units in the layout of the axis.

    The positions of a head are adjacent, so the layout is unit by unit. Those of a
    gated unit are not: the layout is all values, then all gates.
    """
    chosen = places[:, units]
    is_adjacent = places.size(1) > 1 and places[-1, 0] < places[0, 1]
    return chosen.T.flatten() if is_adjacent else chosen.flatten()


def _with_ungrouped(
    kept: list[torch.Tensor], whole: list[torch.Tensor], length: int
) -> torch.Tensor:
    """Return the positions kept of each group, and those outside of all groups.

    Each group keeps its place in the order.

    Args:
        kept: Positions kept of each group.
        whole: All positions of each group.
        length: Length of the axis.
    """
    others = torch.ones(length, dtype=torch.bool)
    others[torch.cat(whole)] = False
    others = others.nonzero().flatten()
    parts, start = [], 0
    for selected, places in sorted(zip(kept, whole), key=lambda item: item[1].min()):
        first = int(places.min())
        parts += [others[(others >= start) & (others < first)], selected]
        start = first
    return torch.cat([*parts, others[others >= start]])


def mask_groups(
    state: Mapping[str, torch.Tensor], kept: Sequence[tuple[Group, torch.Tensor]]
) -> State:
    """Set to zero the units that :func:`slice_groups` would remove."""
    masked = {name: tensor.clone() for name, tensor in state.items()}
    for group, units in kept:
        removed = torch.ones(group.size, dtype=torch.bool)
        removed[units] = False
        for axis in group.axes:
            tensor = masked[axis.parameter]
            flat = tensor.view(-1) if axis.dim is None else tensor
            flat.index_fill_(axis.dim or 0, axis.places[:, removed].flatten(), 0)
    return masked


def cut(
    model: nn.Module,
    conf: Mapping,
    config_dims: Sequence[ConfigDim],
    kept: Sequence[tuple[Group, torch.Tensor]],
) -> tuple[dict, State]:
    """Return the configuration and the weights of a model without some of its units.

    Its outputs equal those of the masked model (``mask_groups``), except after a
    normalization over channels, whose statistics include the masked units.

    Args:
        model: The model.
        conf: Its configuration.
        config_dims: Its config dimensions, see ``find_config_dims``.
        kept: Groups, and the units of each to keep, (units,); other groups stay whole.

    Raises:
        ValueError: Groups of one config dimension keep different fractions of their
            units, which no configuration expresses.
    """
    shapes = shapes_of(model)
    fractions = {
        (axis.parameter, axis.dim): len(units) / group.size
        for group, units in kept
        for axis in group.axes
    }
    sizes = {
        config_dim.key: round(
            config_dim.value * _kept_fraction(config_dim, shapes, fractions)
        )
        for config_dim in config_dims
        if not config_dim.is_depth
    }
    state = slice_groups(model.state_dict(), kept)
    return dict(conf) | sizes, state


def _kept_fraction(
    config_dim: ConfigDim, shapes: Shapes, fractions: Mapping[tuple, float]
) -> float:
    """Return the fraction of a config dimension's units that stays in every layer.

    Axes that it shares with another config dimension are ignored.
    """
    distinct = {fractions.get(axis, 1.0) for axis in config_dim.own_axes(shapes)}
    if len(distinct) > 1:
        raise ValueError(
            f"{config_dim.key}: layers keep different fractions, {sorted(distinct)}"
        )
    return distinct.pop()
