"""Take units out of a model, and write the configuration that says so."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from espnet_distill.structure.coupling import Group
from espnet_distill.structure.knobs import Knob, Shapes, shapes_of
from espnet_distill.structure.slicing import State, slice_groups


def cut(
    model: nn.Module,
    conf: Mapping,
    knobs: Sequence[Knob],
    kept: Sequence[tuple[Group, torch.Tensor]],
) -> tuple[dict, State]:
    """Return the configuration and the weights of a model without some of its units.

    Its outputs are those of the model with these units at zero (``mask_groups``), but
    behind a normalisation over channels, which also counts the zeros.

    Args:
        model: The model.
        conf: Its configuration.
        knobs: Its knobs, as ``find_knobs`` gives them.
        kept: Groups, and the units of each to keep, (units,); the others stay whole.

    Raises:
        ValueError: Groups of one knob that would have different shares of their units,
            which a configuration cannot say.
    """
    shapes = shapes_of(model)
    shares = {
        (axis.parameter, axis.dim): len(units) / group.size
        for group, units in kept
        for axis in group.axes
    }
    sizes = {
        knob.key: round(knob.value * _share(knob, shapes, shares))
        for knob in knobs
        if not knob.is_depth
    }
    state = slice_groups(model.state_dict(), kept)
    return dict(conf) | sizes, state


def _share(knob: Knob, shapes: Shapes, shares: Mapping[tuple, float]) -> float:
    """How much of a knob's units stays, alike in every layer.

    Axes that it shares with another knob do not tell.
    """
    found = {shares.get(axis, 1.0) for axis in knob.own_axes(shapes)}
    if len(found) > 1:
        raise ValueError(f"{knob.key}: layers keep different shares, {sorted(found)}")
    return found.pop()
