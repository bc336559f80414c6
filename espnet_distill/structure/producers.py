"""The one weight and bias that make a group's units, where there are no others."""

from collections.abc import Mapping

import torch

from espnet_distill.structure.coupling import Axis, Group


def producers(state: Mapping[str, torch.Tensor], group: Group) -> list[Axis]:
    """Return the axes of the weight, and of its bias, that make a group's units.

    None at all if several weights make them, if anything else lies along the units, as
    a normalisation does, or if a unit has several places.
    """
    if any(axis.dim not in (0, 1) or len(axis.places) > 1 for axis in group.axes):
        return []
    made = [axis for axis in group.axes if axis.dim == 0]
    weights = [axis.parameter for axis in made if state[axis.parameter].dim() > 1]
    if len(weights) != 1 or len(made) == len(group.axes):
        return []
    own = {weights[0], _bias_of(weights[0])}
    return made if own.issuperset(axis.parameter for axis in made) else []


def _bias_of(weight: str) -> str:
    return weight.removesuffix("weight") + "bias"
