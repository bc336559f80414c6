"""Slice a model's parameters to the units that stay, and its configuration."""

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
        The sliced state; a flattened axis stays flat.
    """
    along: dict[tuple[str, int | None], list[torch.Tensor]] = {}
    gone: dict[tuple[str, int | None], list[torch.Tensor]] = {}
    for group, units in kept:
        for axis in group.axes:
            key = axis.parameter, axis.dim
            along.setdefault(key, []).append(_in_order(axis.places, units))
            gone.setdefault(key, []).append(axis.places.flatten())
    sliced = dict(state)
    for (name, dim), places in along.items():
        tensor = sliced[name].flatten() if dim is None else sliced[name]
        places = _with_others(places, gone[name, dim], tensor.size(dim or 0))
        sliced[name] = tensor.index_select(dim or 0, places)
    return sliced


def _in_order(places: torch.Tensor, units: torch.Tensor) -> torch.Tensor:
    """Places of some units, laid out as all units are.

    Unit by unit where each has its places together, as heads do; else, as in gates, all
    units once and then once more.
    """
    chosen = places[:, units]
    together = places.size(1) > 1 and places[-1, 0] < places[0, 1]
    return chosen.T.flatten() if together else chosen.flatten()


def _with_others(
    kept: list[torch.Tensor], whole: list[torch.Tensor], length: int
) -> torch.Tensor:
    """Places along an axis: what is kept of each group, and what is no group's.

    A group's places begin where it began.
    """
    others = torch.ones(length, dtype=torch.bool)
    others[torch.cat(whole)] = False
    others = others.nonzero().flatten()
    parts, start = [], 0
    for own, places in sorted(zip(kept, whole), key=lambda pair: pair[1].min()):
        first = int(places.min())
        parts += [others[(others >= start) & (others < first)], own]
        start = first
    return torch.cat([*parts, others[others >= start]])


def mask_groups(
    state: Mapping[str, torch.Tensor], kept: Sequence[tuple[Group, torch.Tensor]]
) -> State:
    """Put to zero what :func:`slice_groups` would take away."""
    masked = {name: tensor.clone() for name, tensor in state.items()}
    for group, units in kept:
        gone = torch.ones(group.size, dtype=torch.bool)
        gone[units] = False
        for axis in group.axes:
            tensor = masked[axis.parameter]
            flat = tensor.view(-1) if axis.dim is None else tensor
            flat.index_fill_(axis.dim or 0, axis.places[:, gone].flatten(), 0)
    return masked


def cut(
    model: nn.Module,
    conf: Mapping,
    config_dims: Sequence[ConfigDim],
    kept: Sequence[tuple[Group, torch.Tensor]],
) -> tuple[dict, State]:
    """Return the configuration and the weights of a model without some of its units.

    Its outputs are those of the model with these units at zero (``mask_groups``), but
    behind a normalisation over channels, which also counts the zeros.

    Args:
        model: The model.
        conf: Its configuration.
        config_dims: Its config dimensions, as ``find_knobs`` gives them.
        kept: Groups, and the units of each to keep, (units,); the others stay whole.

    Raises:
        ValueError: Groups of one config dimension that would have different shares of their units,
            which a configuration cannot say.
    """
    shapes = shapes_of(model)
    shares = {
        (axis.parameter, axis.dim): len(units) / group.size
        for group, units in kept
        for axis in group.axes
    }
    sizes = {
        config_dim.key: round(config_dim.value * _share(config_dim, shapes, shares))
        for config_dim in config_dims
        if not config_dim.is_depth
    }
    state = slice_groups(model.state_dict(), kept)
    return dict(conf) | sizes, state


def _share(
    config_dim: ConfigDim, shapes: Shapes, shares: Mapping[tuple, float]
) -> float:
    """How much of a config dimension's units stays, alike in every layer.

    Axes that it shares with another config dimension do not tell.
    """
    found = {shares.get(axis, 1.0) for axis in config_dim.own_axes(shapes)}
    if len(found) > 1:
        raise ValueError(
            f"{config_dim.key}: layers keep different shares, {sorted(found)}"
        )
    return found.pop()
