"""Importance criteria: functions of a group and a state that score each unit."""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from espnet_distill.structure.groups import Group
from espnet_distill.structure.statistics.calibration import Calibration
from espnet_distill.structure.statistics.hooks import REMEDY, observe_inputs
from espnet_distill.structure.statistics.input_norms import InputPowers
from espnet_distill.utils.validation import require_finite

State = Mapping[str, torch.Tensor]


Importance = Callable[[Group, State], torch.Tensor]


def magnitude(group: Group, state: State) -> torch.Tensor:
    """Return the L2 norm of each unit's weights, (size,) (Fang et al., CVPR 2023).

    Axes have equal weight: the squares of each are divided by their mean.
    """
    return unit_norms(
        group, {axis.parameter: state[axis.parameter] for axis in group.axes}
    )


class Random:
    """Random scores, (size,): the baseline of all criteria."""

    def __init__(self, seed: int = 0):
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, group: Group, state: State) -> torch.Tensor:
        return torch.rand(group.size, generator=self._generator)


class Taylor:
    """First-order change of the loss without a unit (Molchanov et al., CVPR 2019).

    A unit's score sums the squares of weight times gradient over its weights. Axes have
    equal weight.
    """

    def __init__(self, model: nn.Module, calibration: Calibration):
        """Accumulate the gradients of a model over its calibration data."""
        model.zero_grad()
        for batch in calibration.batches:
            calibration.loss(batch).backward()
        self._products = {
            name: parameter.detach() * parameter.grad
            for name, parameter in model.named_parameters()
            if parameter.grad is not None
        }
        model.zero_grad()

    def __call__(self, group: Group, state: State) -> torch.Tensor:
        """Score the units, (size,)."""
        return unit_norms(group, self._products)


class Wanda:
    """Wanda scores of units, |W| · ‖x‖ (Sun et al., arXiv:2306.11695).

    ‖x‖ is the root mean square of the unit's activation, |W| the norm of the weights
    that read it. Readers have equal weight.
    """

    def __init__(self, model: nn.Module, calibration: Calibration):
        """Measure the inputs of a model's layers on its calibration data."""
        self._powers = InputPowers()
        with observe_inputs(model, self._powers.observe):
            calibration.run()

    def __call__(self, group: Group, state: State) -> torch.Tensor:
        """Score the units, (size,), by magnitude if no reader was observed."""
        return wanda_scores(group, state, self._powers)


def wanda_scores(group: Group, state: State, powers: InputPowers) -> torch.Tensor:
    """Score the units, (size,), by input powers, see :class:`Wanda`."""
    products = {
        axis.parameter: weighted(axis.parameter, state[axis.parameter], powers)
        for axis in group.axes
        if axis.dim == 1 and axis.parameter in powers
    }
    readers = Group(group.size, tuple(a for a in group.axes if a.dim == 1))
    return unit_norms(readers, products) if products else magnitude(group, state)


def weighted(name: str, weight: torch.Tensor, powers: InputPowers) -> torch.Tensor:
    """Return the weights times the root mean square of their inputs."""
    shape = (1, -1, *(1,) * (weight.dim() - 2))
    return weight * powers[name].sqrt().view(shape)


def unit_norms(group: Group, tensors: State) -> torch.Tensor:
    """Return the L2 norms of units over all axes, (size,).

    The squares of each axis are divided by their mean. Axes without a tensor are
    ignored.

    Raises:
        ConfigError: A tensor has NaN or infinity, which cannot be ranked.
    """
    score = torch.zeros(group.size)
    for axis in group.axes:
        if axis.parameter not in tensors:
            continue
        tensor = tensors[axis.parameter].float()
        tensor = tensor.flatten() if axis.dim is None else tensor
        squares = tensor.square().movedim(axis.dim or 0, 0)
        squares = squares.reshape(len(squares), -1).sum(1)
        power = squares[axis.places].sum(0).cpu()
        require_finite({axis.parameter: power}, "importance of the units", REMEDY)
        score += power / power.mean().clamp(min=torch.finfo(power.dtype).tiny)
    return score.sqrt()
