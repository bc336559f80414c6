"""Groups read off the shapes alone, for a model that no graph can be drawn of.

All axes that follow a config dimension share its units, so that a unit goes from every layer that
the config dimension governs, or from none. What reads a unit that is zero gets no gradient: that
tells where in a concatenation a config dimension's units lie.
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

    Gates and directions lie behind one another along an axis, as torch's recurrent
    layers have them: a config dimension's units are as many as its shortest axis has, and axes of
    a multiple of that length hold each unit several times.

    Args:
        model: The model.
        config_dims: Its config dimensions, as ``find_knobs`` gives them.
        run: As ``find_groups`` takes it.

    Raises:
        ValueError: Units that are not found in a concatenation.
    """
    return [
        _group(model, config_dim, run)
        for config_dim in config_dims
        if not config_dim.is_depth
    ]


def _group(model: nn.Module, config_dim: ConfigDim, run: Callable) -> Group:
    shapes = shapes_of(model)
    lengths = config_dim.lengths(shapes)
    size = min(lengths.values())
    whole = {axis: n for axis, n in lengths.items() if n == shapes[axis[0]][axis[1]]}
    axes = [Axis(*axis, _places(0, n, size)) for axis, n in whole.items()]
    axes += _statistics(model, axes)
    group = Group(size, tuple(axes))
    for (name, dim), length in lengths.items():
        if (name, dim) not in whole:
            offset = _offset(model, group, name, dim, length, run)
            axes.append(Axis(name, dim, _places(offset, length, size)))
    return Group(size, tuple(axes))


def _places(offset: int, length: int, size: int) -> torch.Tensor:
    return torch.arange(offset, offset + length).view(-1, size)


def _statistics(model: nn.Module, axes: list[Axis]) -> list[Axis]:
    """Axes of the running statistics beside weights, which are no parameters."""
    buffers = dict(model.named_buffers())
    return [
        Axis(f"{module}.{buffer}", 0, axis.places)
        for axis in axes
        for module, _, kind in [axis.parameter.rpartition(".")]
        for buffer in ("running_mean", "running_var")
        if kind == "weight" and f"{module}.{buffer}" in buffers
    ]


def _offset(
    model: nn.Module, group: Group, name: str, dim: int, length: int, run: Callable
) -> int:
    """Where in an axis the units of a group begin: where zeros have no gradient."""
    parameter = model.get_parameter(name)
    with _only_zeros(model, group):
        loss = sum(output.square().sum() for output in run(model, None))
        (gradient,) = torch.autograd.grad(loss, parameter)
    zeros = gradient.movedim(dim, 0).flatten(1).abs().sum(1) == 0
    places = zeros.nonzero().flatten()
    if len(places) != length or places[-1] - places[0] != length - 1:
        raise ValueError(f"{name}: {len(places)} zero places, not {length} in a row")
    return int(places[0])


@contextlib.contextmanager
def _only_zeros(model: nn.Module, group: Group) -> Iterator[None]:
    """Let a group's units be zero where they are made, and no other one, for a while.

    What reads them stays, so that gradients pass it. Weights are positive and of the
    order of one over their inputs, so that no gate is saturated.
    """
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    made = tuple(axis for axis in group.axes if not _reads(model, axis))
    try:
        for parameter in model.parameters():
            inputs = parameter[0].numel() if parameter.dim() > 1 else 1
            parameter.data.uniform_(0.5, 1.0, generator=generator).div_(inputs)
        none = torch.empty(0, dtype=torch.long)
        masked = mask_groups(model.state_dict(), [(Group(group.size, made), none)])
        model.load_state_dict(masked)
        yield
    finally:
        model.load_state_dict(state)


def _reads(model: nn.Module, axis: Axis) -> bool:
    """Tell whether an axis is of a layer's inputs, and not of what one puts out."""
    module = model.get_submodule(axis.parameter.rpartition(".")[0])
    return axis.dim == 1 and isinstance(module, READERS)
