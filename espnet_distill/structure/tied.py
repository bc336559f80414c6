"""Groups read off the shapes alone, for a model that no graph can be drawn of.

All axes that follow a knob share its units, so that a unit goes from every layer that
the knob governs, or from none. What a silent unit feeds gets no gradient: that tells
where in a concatenation a knob's units lie.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn

from espnet_distill.structure.coupling import Axis, Group
from espnet_distill.structure.knobs import Knob, shapes_of
from espnet_distill.structure.slicing import mask_groups


def find_tied_groups(
    model: nn.Module, knobs: Sequence[Knob], run: Callable
) -> list[Group]:
    """Return one group for each knob that sets widths.

    Gates and directions lie behind one another along an axis, as torch's recurrent
    layers have them: a knob's units are as many as its shortest axis has, and axes of
    a multiple of that length hold each unit several times.

    Args:
        model: The model.
        knobs: Its knobs, as ``find_knobs`` gives them.
        run: As ``find_groups`` takes it.

    Raises:
        ValueError: Units that are not found in a concatenation.
    """
    return [_group(model, knob, run) for knob in knobs if not knob.is_depth]


def _group(model: nn.Module, knob: Knob, run: Callable) -> Group:
    shapes = shapes_of(model)
    lengths = knob.lengths(shapes)
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
    """Where in an axis the units of a group begin: where silence has no gradient."""
    parameter = model.get_parameter(name)
    with _all_else_speaks(model, group):
        loss = sum(output.square().sum() for output in run(model, None))
        (gradient,) = torch.autograd.grad(loss, parameter)
    silent = gradient.movedim(dim, 0).flatten(1).abs().sum(1) == 0
    places = silent.nonzero().flatten()
    if len(places) != length or places[-1] - places[0] != length - 1:
        raise ValueError(f"{name}: {len(places)} silent places, not {length} in a row")
    return int(places[0])


@contextlib.contextmanager
def _all_else_speaks(model: nn.Module, group: Group) -> Iterator[None]:
    """Let a group's units be silent and no other one, for a while."""
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    try:
        for parameter in model.parameters():
            parameter.data.uniform_(0.01, 0.1, generator=generator)
        none = torch.empty(0, dtype=torch.long)
        model.load_state_dict(mask_groups(model.state_dict(), [(group, none)]))
        yield
    finally:
        model.load_state_dict(state)
