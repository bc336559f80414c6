"""How much each unit of a group matters: a group and a state → a score a unit."""

from collections.abc import Mapping

import torch

from espnet_distill.structure.coupling import Group


def magnitude(group: Group, state: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """L2 norm of what a unit has, (size,) (Fang et al., CVPR 2023).

    Each axis counts as much as any other: its squares are divided by their mean.
    """
    score = torch.zeros(group.size)
    for axis in group.axes:
        tensor = state[axis.parameter].float()
        tensor = tensor.flatten() if axis.dim is None else tensor
        squares = tensor.square().movedim(axis.dim or 0, 0)
        squares = squares.reshape(len(squares), -1).sum(1)
        own = squares[axis.places].sum(0)
        score += own / own.mean().clamp(min=1e-12)
    return score.sqrt()
