"""How much each unit of a group matters: a group and a state → a score a unit."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import nn

from espnet_distill.structure.groups import Group
from espnet_distill.structure.statistics.hooks import (
    REMEDY,
    observe_inputs,
    run_batches,
)
from espnet_distill.structure.statistics.input_norms import InputPowers
from espnet_distill.utils.validation import require_finite

State = Mapping[str, torch.Tensor]


Importance = Callable[[Group, State], torch.Tensor]


def magnitude(group: Group, state: State) -> torch.Tensor:
    """L2 norm of what a unit has, (size,) (Fang et al., CVPR 2023).

    Each axis counts as much as any other: its squares are divided by their mean.
    """
    return unit_norms(
        group, {axis.parameter: state[axis.parameter] for axis in group.axes}
    )


class Random:
    """No importance at all, (size,): what any other has to beat."""

    def __init__(self, seed: int = 0):
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, group: Group, state: State) -> torch.Tensor:
        return torch.rand(group.size, generator=self._generator)


class Taylor:
    """First-order change of the loss without a unit (Molchanov et al., CVPR 2019).

    The square of weight times gradient, summed over a unit's weights; each axis counts
    as much as any other.
    """

    def __init__(self, model: nn.Module, losses: Iterable[torch.Tensor]):
        """Gather gradients.

        Args:
            model: The model.
            losses: Its loss on batch after batch, computed as they are drawn.
        """
        model.zero_grad()
        for loss in losses:
            loss.backward()
        self._products = {
            name: parameter.detach() * parameter.grad
            for name, parameter in model.named_parameters()
            if parameter.grad is not None
        }
        model.zero_grad()

    def __call__(self, group: Group, state: State) -> torch.Tensor:
        """Score the units, (size,)."""
        return unit_norms(group, self._products)


class Activation:
    """What the readers of a unit get from it: |W| · ‖x‖ (Sun et al., arXiv:2306.11695).

    ‖x‖ is the root mean square of the unit's activation, |W| the norm of the weights
    that read it; each reader counts as much as any other.
    """

    def __init__(self, model: nn.Module, losses: Iterable):
        """Listen to the inputs of a model's layers.

        Args:
            model: The model.
            losses: Whatever makes it run on batch after batch as it is drawn.
        """
        self._powers = InputPowers()
        with observe_inputs(model, self._powers.observe):
            run_batches(losses)

    def __call__(self, group: Group, state: State) -> torch.Tensor:
        """Score the units, (size,); by magnitude where nothing was heard of them."""
        return activation(group, state, self._powers)


def activation(group: Group, state: State, powers: InputPowers) -> torch.Tensor:
    """Score the units, (size,), by what was heard, see :class:`Activation`."""
    heard = {
        axis.parameter: weighed(axis.parameter, state[axis.parameter], powers)
        for axis in group.axes
        if axis.dim == 1 and axis.parameter in powers
    }
    readers = Group(group.size, tuple(a for a in group.axes if a.dim == 1))
    return unit_norms(readers, heard) if heard else magnitude(group, state)


def weighed(name: str, weight: torch.Tensor, powers: InputPowers) -> torch.Tensor:
    """Weights times the root mean square of what each of them reads."""
    shape = (1, -1, *(1,) * (weight.dim() - 2))
    return weight * powers[name].sqrt().view(shape)


def unit_norms(group: Group, tensors: State) -> torch.Tensor:
    """Root of the squares that each unit has on the axes, over those' means, (size,).

    Axes of which there is no tensor do not count.

    Raises:
        ConfigError: Tensors that hold NaN or infinity, which rank nothing.
    """
    score = torch.zeros(group.size)
    for axis in group.axes:
        if axis.parameter not in tensors:
            continue
        tensor = tensors[axis.parameter].float()
        tensor = tensor.flatten() if axis.dim is None else tensor
        squares = tensor.square().movedim(axis.dim or 0, 0)
        squares = squares.reshape(len(squares), -1).sum(1)
        own = squares[axis.places].sum(0).cpu()
        require_finite({axis.parameter: own}, "importance of the units", REMEDY)
        score += own / own.mean().clamp(min=torch.finfo(own.dtype).tiny)
    return score.sqrt()
