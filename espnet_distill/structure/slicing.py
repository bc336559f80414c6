"""Take units out of a state dictionary."""

from collections.abc import Mapping, Sequence

import torch

from espnet_distill.structure.coupling import Group

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
    sliced = dict(state)
    for group, units in kept:
        for axis in group.axes:
            tensor = sliced[axis.parameter]
            if axis.dim is None:
                tensor = tensor.flatten()
            places = _remaining(axis.places, units, tensor.size(axis.dim or 0))
            sliced[axis.parameter] = tensor.index_select(axis.dim or 0, places)
    return sliced


def _remaining(places: torch.Tensor, units: torch.Tensor, length: int) -> torch.Tensor:
    """Positions to keep: the units', and around them those that are not the group's."""
    others = torch.ones(length, dtype=torch.bool)
    others[places.flatten()] = False
    before, after = others.clone(), others.clone()
    before[places.min() :] = False
    after[: places.min()] = False
    kept = places[:, units].flatten()
    return torch.cat([before.nonzero()[:, 0], kept, after.nonzero()[:, 0]])


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
