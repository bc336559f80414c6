"""Pruning groups inferred from shapes, for a model that cannot be traced.

All axes that scale with a config dimension share its units, so a unit is removed from
all layers of the config dimension or from none. In a concatenation, the weights on a
config dimension's units are those without gradient while these units are zero.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn

from espnet_distill.structure.config_dims import ConfigDim, shapes_of
from espnet_distill.structure.groups import Axis, Group
from espnet_distill.structure.slicing import mask_groups

READERS = (nn.Linear, nn.modules.conv._ConvNd, nn.RNNBase, nn.RNNCellBase)


def find_tied_groups(
    model: nn.Module, config_dims: Sequence[ConfigDim], run: Callable
) -> list[Group]:
    """Return one group for each config dimension that sets widths.

    Gates and directions are concatenated along an axis, as in torch's recurrent layers.
    The shortest axis of a config dimension has one position a unit; an axis of a
    multiple of that length has several.

    Args:
        model: The model.
        config_dims: Its config dimensions, see ``find_config_dims``.
        run: See ``find_groups``.

    Raises:
        ValueError: The units cannot be located in a concatenation.
    """
    return [
        _tied_group(model, config_dim, run)
        for config_dim in config_dims
        if not config_dim.is_depth
    ]


def _tied_group(model: nn.Module, config_dim: ConfigDim, run: Callable) -> Group:
    shapes = shapes_of(model)
    lengths = config_dim.lengths(shapes)
    size = min(lengths.values())
    whole = {axis: n for axis, n in lengths.items() if n == shapes[axis[0]][axis[1]]}
    axes = [Axis(*axis, _places(0, n, size)) for axis, n in whole.items()]
    axes += _statistics(model, axes)
    group = Group(size, tuple(axes))
    for (name, dim), length in lengths.items():
        if (name, dim) not in whole:
            offset = _find_offset(model, group, name, dim, length, run)
            axes.append(Axis(name, dim, _places(offset, length, size)))
    return Group(size, tuple(axes))


def _places(offset: int, length: int, size: int) -> torch.Tensor:
    return torch.arange(offset, offset + length).view(-1, size)


def _statistics(model: nn.Module, axes: list[Axis]) -> list[Axis]:
    """Return the axes of running statistics, which are buffers, beside the weights."""
    buffers = dict(model.named_buffers())
    return [
        Axis(f"{module}.{buffer}", 0, axis.places)
        for axis in axes
        for module, _, kind in [axis.parameter.rpartition(".")]
        for buffer in ("running_mean", "running_var")
        if kind == "weight" and f"{module}.{buffer}" in buffers
    ]


def _find_offset(
    model: nn.Module, group: Group, name: str, dim: int, length: int, run: Callable
) -> int:
    """Return the first position of a group's units on an axis, by zero gradients."""
    parameter = model.get_parameter(name)
    with _zeroed(model, group):
        loss = sum(output.square().sum() for output in run(model, None))
        (gradient,) = torch.autograd.grad(loss, parameter)
    zeros = gradient.movedim(dim, 0).flatten(1).abs().sum(1) == 0
    places = zeros.nonzero().flatten()
    if len(places) != length or places[-1] - places[0] != length - 1:
        raise ValueError(f"{name}: {len(places)} zero places, not {length} in a row")
    return int(places[0])


@contextlib.contextmanager
def _zeroed(model: nn.Module, group: Group) -> Iterator[None]:
    """Set a group's units, and no others, to zero at their producers in the context.

    Their readers stay nonzero, so that gradients pass. Weights are positive, of the
    order of one over the number of their inputs, so that no gate saturates.
    """
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    producers = tuple(axis for axis in group.axes if not _reads(model, axis))
    try:
        for parameter in model.parameters():
            inputs = parameter[0].numel() if parameter.dim() > 1 else 1
            parameter.data.uniform_(0.5, 1.0, generator=generator).div_(inputs)
        none = torch.empty(0, dtype=torch.long)
        masked = mask_groups(model.state_dict(), [(Group(group.size, producers), none)])
        model.load_state_dict(masked)
        yield
    finally:
        model.load_state_dict(state)


def _reads(model: nn.Module, axis: Axis) -> bool:
    """Return True if an axis is along a layer's inputs rather than its outputs."""
    module = model.get_submodule(axis.parameter.rpartition(".")[0])
    return axis.dim == 1 and isinstance(module, READERS)
