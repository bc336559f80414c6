"""Layers that read a group's units through gates.

A gate multiplies a unit where it is read, as in CoFi (arXiv:2204.00408) and DPHuBERT
(arXiv:2305.17651): so it can be folded into the columns that read the unit, whatever
activation is before them. A layer normalisation over the units has to see them gated as
well: there the units are multiplied where they are made, too. A model with gates of 0
and 1 is then the one that masks make.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from espnet_distill.structure.coupling import NORMS, TRANSPOSED, Axis, Group

Values = Callable[[bool], torch.Tensor]


@dataclass(frozen=True)
class Gated:
    """A layer whose inputs, or outputs, are multiplied by gates.

    Attributes:
        layer: Linear, or a convolution.
        dim: Of its weight, along which the gates lie: 1 for inputs, 0 for outputs.
        numbers: Of each channel's gate, (channels,); -1 where a channel has none.
    """

    layer: nn.Module
    dim: int
    numbers: torch.Tensor

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Those that a gate scales: the weight, and the bias of outputs."""
        bias = None if self.dim else self.layer.bias
        return [self.layer.weight] + ([] if bias is None else [bias])

    def by_gates(self, gates: Values) -> RemovableHandle:
        """Multiply by gates, until the handle removes it.

        Args:
            gates: Called with whether the layer trains, returns the gates, and a 1 at
                the end for channels that have none.
        """
        shape = (-1, *(1,) * (self.layer.weight.dim() - 2))

        def scaled(x: torch.Tensor) -> torch.Tensor:
            own = gates(self.layer.training)[self.numbers.to(x.device)]
            return x * own.view(shape).to(x.dtype)

        if self.dim:
            return self.layer.register_forward_pre_hook(
                lambda layer, inputs: (scaled(inputs[0]), *inputs[1:])
            )
        return self.layer.register_forward_hook(lambda layer, x, output: scaled(output))

    def add_sums(self, products: list[torch.Tensor], sums: torch.Tensor) -> None:
        """Add what is like the parameters to each gate's sum, (gates + 1,)."""
        numbers = self.numbers.to(sums.device) % len(sums)
        for product in products:
            rows = product.movedim(self._along(product), 0)
            along = rows.reshape(len(rows), -1).sum(1)
            sums.index_add_(0, numbers, along.to(sums.dtype))

    def fold(self, gates: torch.Tensor) -> None:
        """Multiply the parameters by gates, and a 1 at the end, (gates + 1,)."""
        for parameter in self.parameters:
            along = self._along(parameter)
            own = gates[self.numbers.to(gates.device)].to(parameter)
            parameter.mul_(own.view(-1, *(1,) * (parameter.dim() - 1 - along)))

    def _along(self, tensor: torch.Tensor) -> int:
        return min(self.dim, tensor.dim() - 1)


def gated_layers(model: nn.Module, group: Group, first: int) -> list[Gated]:
    """Return where a group's units are multiplied by gates.

    Args:
        model: The model.
        group: A group of it.
        first: The number of its first unit's gate.

    Returns:
        None at all where gates would not do what masks do: if anything but linear
        layers and convolutions has to do with the units, such as a recurrent cell, or
        if what is normalised is not made by one layer.
    """
    layers = {axis: _layer(model, axis) for axis in group.axes}
    readers = [axis for axis in group.axes if axis.dim == 1]
    if not readers or not all(_is_plain(axis, layer) for axis, layer in layers.items()):
        return []
    makers = []
    if any(isinstance(layer, nn.LayerNorm) for layer in layers.values()):
        makers = [axis for axis, layer in layers.items() if _makes(axis, layer)]
        if len(makers) != 1:
            return []
    return [_gated(layers[axis], axis, first) for axis in (*makers, *readers)]


def _layer(model: nn.Module, axis: Axis) -> nn.Module:
    return model.get_submodule(axis.parameter.rpartition(".")[0])


def _is_plain(axis: Axis, layer: nn.Module) -> bool:
    """Tell whether a layer reads units linearly, or only makes them."""
    if axis.dim == 1 and not isinstance(layer, (nn.Linear, nn.modules.conv._ConvNd)):
        return False
    return not isinstance(layer, TRANSPOSED)


def _makes(axis: Axis, layer: nn.Module) -> bool:
    is_weight = axis.parameter.endswith(".weight")
    return axis.dim == 0 and is_weight and not isinstance(layer, NORMS)


def _gated(layer: nn.Module, axis: Axis, first: int) -> Gated:
    numbers = torch.full((layer.weight.size(axis.dim),), -1)
    numbers[axis.places] = torch.arange(first, first + axis.places.size(1))
    return Gated(layer, axis.dim, numbers)
