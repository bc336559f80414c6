"""Find the units and layers whose weights are all zero, as a mask leaves them."""

import torch
from torch import nn

from espnet_distill.structure.groups import Axis, Group
from espnet_distill.structure.residual import branch_ends, residual_stacks


def find_zero_units(group: Group, model: nn.Module) -> torch.Tensor:
    """Return the zero units of a group, booleans (size,).

    The parameters that compute such a unit, bias and normalization included, are all
    zero, or those that read it are. If a layer normalization spans the units, only the
    former counts.
    """
    parameters = dict(model.named_parameters())
    producing: list[torch.Tensor] = []
    reading: list[torch.Tensor] = []
    is_normalized = False
    for axis in group.axes:
        if axis.parameter not in parameters:  # running statistics
            continue
        module = model.get_submodule(axis.parameter.rpartition(".")[0])
        is_normalized |= isinstance(module, nn.LayerNorm)
        zeros = _zeros(axis, parameters[axis.parameter])
        (reading if _reads(axis, module) else producing).append(zeros)
    zero_units = torch.zeros(group.size, dtype=torch.bool)
    if producing:
        zero_units |= torch.stack(producing).all(0)
    if reading and not is_normalized:
        zero_units |= torch.stack(reading).all(0)
    return zero_units


def _zeros(axis: Axis, tensor: torch.Tensor) -> torch.Tensor:
    """Return which units are all zero along an axis, (size,)."""
    tensor = tensor.detach().flatten() if axis.dim is None else tensor.detach()
    rows = tensor.movedim(axis.dim or 0, 0)
    zeros = (rows.reshape(len(rows), -1) == 0).all(1)
    return zeros[axis.places].all(0)


def _reads(axis: Axis, module: nn.Module) -> bool:
    return axis.dim == 1 and not isinstance(module, nn.Embedding)


def find_zero_layers(model: nn.Module) -> dict[str, list[int]]:
    """Return the zero layers of each stack: {stack: [layer numbers]}.

    The parameters of such a layer that write to the residual stream are all zero.
    """
    zero_layers = {}
    for stack in residual_stacks(model):
        layers = enumerate(model.get_submodule(stack))
        numbers = [number for number, layer in layers if _is_zero(layer)]
        if numbers:
            zero_layers[stack] = numbers
    return zero_layers


def _is_zero(layer: nn.Module) -> bool:
    return not any(layer.get_parameter(name).any() for name in branch_ends(layer))


def measure_sparsity(model: nn.Module) -> float:
    """Return a model's sparsity: the share of its weights that are zero.

    Weights are parameters of two dimensions or more, without the embedding of padding.
    """
    zeros = weights = 0
    for module in model.modules():
        padding = getattr(module, "padding_idx", None)
        for parameter in module.parameters(recurse=False):
            if parameter.dim() < 2:
                continue
            rows = parameter.detach()
            if padding is not None:
                rows = torch.cat([rows[:padding], rows[padding + 1 :]])
            zeros += int((rows == 0).sum())
            weights += rows.numel()
    return zeros / max(weights, 1)
