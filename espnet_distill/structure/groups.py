"""Pruning groups: parameter axes that share an index, so units are removed from all.

The connections between layers come from the dependency graph of Torch-Pruning (Fang et
al., CVPR 2023).
"""

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
import torch_pruning
from torch import nn

NORMS = (nn.LayerNorm, nn.modules.batchnorm._BatchNorm)


TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d)


WEIGHTED = (nn.Linear, nn.Embedding, nn.modules.conv._ConvNd)


@dataclass(frozen=True)
class Axis:
    """Positions of a group's units along one dimension of a parameter or buffer.

    ``places[:, u]`` are the positions of unit u along dimension ``dim``; before a gated
    linear unit there are several. A ``dim`` of None indexes the flattened tensor.
    """

    parameter: str
    dim: int | None
    places: torch.Tensor


@dataclass(frozen=True)
class Group:
    """Axes that share an index of ``size`` units."""

    size: int
    axes: tuple[Axis, ...]

    def __contains__(self, axis: tuple[str, int]) -> bool:
        return any((member.parameter, member.dim) == axis for member in self.axes)


def can_be_traced(model: nn.Module, apart: Iterable[nn.Module] = ()) -> bool:
    """Return True if the dependency graph covers a model: recurrent cells break it.

    Args:
        model: The model.
        apart: Modules of it that are excluded from the graph.
    """
    excluded = {id(module) for root in apart for module in root.modules()}
    return not any(
        isinstance(module, (nn.RNNBase, nn.RNNCellBase))
        for module in model.modules()
        if id(module) not in excluded
    )


@contextlib.contextmanager
def without_gradients(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Detach the outputs of modules, each a tensor, within the context."""
    hooks = [
        module.register_forward_hook(lambda module, inputs, output: output.detach())
        for module in modules
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def find_groups(model: nn.Module, run: Callable) -> list[Group]:
    """Return the groups of a model whose units can be removed, in module order.

    Args:
        model: The model, see :func:`can_be_traced`.
        run: Function of the model and of an unused input that returns the list of the
            model's output tensors, connected to the parameters by autograd.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Torch-Pruning warns of each bare parameter
        graph = torch_pruning.DependencyGraph().build_dependency(
            model, torch.zeros(1), forward_fn=run, verbose=False
        )
    names = {id(module): name for name, module in model.named_modules()}
    names |= {id(parameter): name for name, parameter in model.named_parameters()}
    roots = [
        module
        for module in model.modules()
        if isinstance(module, WEIGHTED) and module in graph.module2node
    ]
    groups: list[Group] = []
    for module in sorted(roots, key=_num_outputs):  # a gate before its producer
        axis = (f"{names[id(module)]}.weight", _weight_dim(module, True))
        if not any(axis in group for group in groups):
            groups += _trace_group(graph, module, _num_outputs(module), names)
    for parameter, name in _bare_matrices(graph, model):
        if not any(axis.parameter == name for group in groups for axis in group.axes):
            groups += _trace_group(graph, parameter, parameter.size(1), names)
    order = {name: place for place, name in enumerate(model.state_dict())}
    return sorted(
        groups, key=lambda group: min(order[axis.parameter] for axis in group.axes)
    )


def _bare_matrices(graph, model: nn.Module) -> Iterator[tuple[nn.Parameter, str]]:
    """Yield matrices outside of layers, such as style tokens, with their names."""
    for name, parameter in model.named_parameters():
        if parameter.dim() == 2 and parameter in graph.module2node:
            yield parameter, name


def _trace_group(graph, module, size: int, names: dict[int, str]) -> list[Group]:
    """Return the group of a module's outputs; none if they are the model's outputs."""
    prune_out = graph.get_pruner_of_module(module).prune_out_channels
    items = graph.get_pruning_group(module, prune_out, list(range(size)))
    axes = {}
    for item in items:
        target = item.dep.target
        if isinstance(target.module, torch_pruning.ops._OutputOp):
            return []
        is_out = graph.is_out_channel_pruning_fn(item.dep.handler)
        places = torch.tensor(item.idxs)[torch.argsort(torch.tensor(item.root_idxs))]
        for name, tensor, dim in _tensors(target.module, is_out, size):
            path = ".".join(filter(None, (names[id(target.module)], name)))
            length = tensor.numel() if dim is None else tensor.size(dim)
            positions = _with_gates(places, size, length, is_out)
            axes[path, dim] = Axis(path, dim, positions)
    return [Group(size, tuple(axes.values()))]


def _with_gates(
    places: torch.Tensor, size: int, length: int, is_out: bool
) -> torch.Tensor:
    """Add the gates of a gated linear unit, which the graph merges with its values."""
    repeats = length // size if is_out and length % size == 0 else 1
    return torch.stack([places + repeat * size for repeat in range(repeats)])


def _tensors(
    module, is_out: bool, size: int
) -> Iterator[tuple[str, torch.Tensor, int | None]]:
    """Yield name, tensor and dimension along a module's outputs or its inputs."""
    if isinstance(module, nn.Parameter):
        if module.numel() > 1:
            has_rows = module.dim() == 2 and module.size(1) == size
            yield "", module, 1 if has_rows else None
    elif isinstance(module, NORMS):
        for name, tensor in module.state_dict().items():
            if tensor.dim():
                yield name, tensor, 0
    elif isinstance(module, WEIGHTED):
        depthwise = getattr(module, "groups", 1) > 1
        if is_out or not depthwise:
            yield "weight", module.weight, _weight_dim(module, is_out)
        if is_out and getattr(module, "bias", None) is not None:
            yield "bias", module.bias, 0


def _weight_dim(module: nn.Module, is_out: bool) -> int:
    first_is_input = isinstance(module, (nn.Embedding, *TRANSPOSED))
    return int(is_out == first_is_input)


def _num_outputs(module: nn.Module) -> int:
    return module.weight.size(_weight_dim(module, True))
