"""What of a model is silent: the zeros that a mask leaves say what it took."""

import torch
from torch import nn

from espnet_distill.structure.groups import Axis, Group
from espnet_distill.structure.residual import branch_ends, residual_stacks


def find_zero_units(group: Group, model: nn.Module) -> torch.Tensor:
    """Tell which units of a group never say anything, as booleans (size,).

    All that makes such a unit is zero, its bias and its normalisation among it, or all
    that reads it. Where a layer normalisation counts the units, only the former.
    """
    parameters = dict(model.named_parameters())
    written: list[torch.Tensor] = []
    read: list[torch.Tensor] = []
    counted = False
    for axis in group.axes:
        if axis.parameter not in parameters:  # running statistics
            continue
        module = model.get_submodule(axis.parameter.rpartition(".")[0])
        counted |= isinstance(module, nn.LayerNorm)
        zeros = _zeros(axis, parameters[axis.parameter])
        (read if _reads(axis, module) else written).append(zeros)
    silent = torch.zeros(group.size, dtype=torch.bool)
    if written:
        silent |= torch.stack(written).all(0)
    if read and not counted:
        silent |= torch.stack(read).all(0)
    return silent


def _zeros(axis: Axis, tensor: torch.Tensor) -> torch.Tensor:
    """Units that have nothing but zeros along an axis, (size,)."""
    tensor = tensor.detach().flatten() if axis.dim is None else tensor.detach()
    rows = tensor.movedim(axis.dim or 0, 0)
    zeros = (rows.reshape(len(rows), -1) == 0).all(1)
    return zeros[axis.places].all(0)


def _reads(axis: Axis, module: nn.Module) -> bool:
    return axis.dim == 1 and not isinstance(module, nn.Embedding)


def find_zero_layers(model: nn.Module) -> dict[str, list[int]]:
    """Return the layers, by stack, that add nothing to what they read.

    All that such a layer would write to the residual stream is zero.
    """
    found = {}
    for stack in residual_stacks(model):
        layers = enumerate(model.get_submodule(stack))
        found[stack] = [number for number, layer in layers if _adds_nothing(layer)]
    return {stack: numbers for stack, numbers in found.items() if numbers}


def _adds_nothing(layer: nn.Module) -> bool:
    return not any(layer.get_parameter(name).any() for name in branch_ends(layer))


def measure_sparsity(model: nn.Module) -> float:
    """Return the share of a model's weights that are zero; what embeds padding aside.

    Weights are parameters of two dimensions or more.
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
