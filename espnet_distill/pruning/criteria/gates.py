"""Learned hard-concrete gates as a criterion."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from espnet_distill.errors import ConfigError
from espnet_distill.pruning.criteria.base import Criterion, Parameters, Scores
from espnet_distill.pruning.criteria.hard_concrete import (
    chance_open,
    noiseless,
    sampled,
)
from espnet_distill.pruning.masks.units import UnitMask
from espnet_distill.structure.groups import NORMS, TRANSPOSED, Axis, Group

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


LEARNING_RATE = 0.1


BETAS = 0.0, 0.9  # with momentum too many gates close at first, and some for good


OPEN = 4.6  # a chance of 0.01 for the binary concrete variable to be shut


class Gates(Criterion):
    """Scores by how open a unit's gate has become.

    The gates multiply while the model runs: with noise in training, without outside.
    Its parameters and their names stay as they are, and in the end the gates are folded
    into them. What a gate's gradient is, the weights it scales tell: z · ∂L/∂z is the
    sum of W · ∂L/∂W over them. So it is accumulated, averaged over processes, unscaled
    and clipped as theirs is, and all processes learn the same.
    """

    window = None
    waits = True

    def __init__(
        self,
        model: nn.Module,
        parameters: Parameters,
        neurons: UnitMask,
        share: Callable[[], float],
    ):
        """Find where gates go.

        Args:
            model: The model.
            parameters: Those of the groups.
            neurons: The groups, and what is to go of them.
            share: Returns how much of it is to be gone by now, from 0 to 1.

        Raises:
            ConfigError: Groups that gates cannot multiply.
        """
        super().__init__(model, parameters)
        self._neurons = neurons
        self._share = share
        self._groups = list(neurons.groups.values())
        self._layers = _layers_of(model, neurons.groups)
        self._scaled = [p for layer in self._layers for p in layer.parameters]
        self._hooks: list = []
        self._log_alpha: torch.Tensor | None = None

    def _begin(self) -> None:
        """Begin to learn with open gates, where the model is by now."""
        device = self._scaled[0].device
        sizes = torch.tensor([group.size for group in self._groups])
        self._group_of = torch.arange(len(sizes)).repeat_interleave(sizes).to(device)
        self._log_alpha = torch.full((len(self._group_of),), OPEN, device=device)
        constraints = self._neurons.excess(self._kept(), 0.0)
        self._multipliers = torch.zeros(2, len(constraints), device=device)
        self._learnt = [self._log_alpha, self._multipliers]
        for tensor in self._learnt:
            tensor.requires_grad_()
        self._optimizer = torch.optim.Adam(
            [{"params": [self._log_alpha]}]
            + [{"params": [self._multipliers], "maximize": True}],
            lr=LEARNING_RATE,
            betas=BETAS,
        )
        self._steps = 0

    def start(self) -> None:
        if self._log_alpha is None:
            self._begin()
        self._hooks = [layer.by_gates(self._gates) for layer in self._layers]
        self._before = [parameter.detach().clone() for parameter in self._scaled]
        self._draw()

    def stop(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    @torch.enable_grad()
    def step(self) -> None:
        excess = self._neurons.excess(self._kept(), self._share())
        linear, quadratic = self._multipliers
        loss = (linear * excess + quadratic * excess.square()).sum()
        loss = loss + (self._sampled * self._gradient()).sum()
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        self._steps += 1
        self._draw()

    @torch.no_grad()
    def _gradient(self) -> torch.Tensor:
        """Return ∂L/∂z of the step that was taken, 0 where a gate was shut."""
        torch._foreach_mul_(self._before, [_gradient_of(p) for p in self._scaled])
        products = iter(self._before)
        sums = self._sampled.new_zeros(len(self._sampled) + 1)
        for layer in self._layers:
            layer.add_sums([next(products) for _ in layer.parameters], sums)
        torch._foreach_copy_(self._before, self._scaled)
        return torch.where(self._sampled > 0, sums[:-1] / self._sampled, 0)

    @torch.enable_grad()
    def _draw(self) -> None:
        """Sample the gates of the next step; their noise depends on its number only."""
        generator = torch.Generator().manual_seed(self._steps)
        noise = torch.rand(len(self._log_alpha), generator=generator)
        self._sampled = sampled(self._log_alpha, noise.to(self._log_alpha))
        found = {True: self._sampled, False: noiseless(self._log_alpha)}
        self._values = {mode: _with_one(gates) for mode, gates in found.items()}

    def _gates(self, training: bool) -> torch.Tensor:
        return self._values[training]

    def _kept(self) -> torch.Tensor:
        """Return how many units of each group stay on average, (groups,)."""
        kept = self._log_alpha.new_zeros(len(self._groups))
        return kept.index_add(0, self._group_of, chance_open(self._log_alpha))

    def scores(self) -> Scores:
        return {}

    def of_units(self, group: Group, scores: Scores) -> torch.Tensor:
        sizes = [own.size for own in self._groups]
        number = next(n for n, own in enumerate(self._groups) if own is group)
        return self._log_alpha.detach().cpu().split(sizes)[number].clone()

    def fold(self) -> None:
        for layer in self._layers:
            layer.fold(self._values[False])

    @torch.no_grad()
    def statistics(self) -> dict[str, float]:
        """Return the share of the parameters that gates close on average."""
        begun = self._log_alpha is not None
        share = float(self._neurons.expected(self._kept())) if begun else 0.0
        return {"sparsity_expected": share}

    def reset(self) -> None:
        self.stop()
        self._log_alpha = None

    def state_dict(self) -> dict:
        if self._log_alpha is None:
            return {}
        return {
            "learnt": [tensor.detach().clone() for tensor in self._learnt],
            "optimizer": self._optimizer.state_dict(),
            "steps": self._steps,
        }

    @torch.no_grad()
    def load_state_dict(self, state: dict) -> None:
        if not state:
            return
        self._begin()
        for tensor, saved in zip(self._learnt, state["learnt"]):
            tensor.copy_(saved)
        self._optimizer.load_state_dict(state["optimizer"])
        self._steps = state["steps"]


def _layers_of(model: nn.Module, groups: dict[str, Group]) -> list[Gated]:
    found, refused, first = [], [], 0
    for group in groups.values():
        layers = gated_layers(model, group, first)
        refused += [] if layers else [group.axes[0].parameter]
        found += layers
        first += group.size
    if refused:
        raise ConfigError(
            f"criterion: gates cannot multiply the units of {', '.join(refused)}; add "
            "to exclude"
        )
    return found


def _gradient_of(parameter: nn.Parameter) -> torch.Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _with_one(gates: torch.Tensor) -> torch.Tensor:
    """Add the gate of channels that have none."""
    return torch.cat([gates.detach(), gates.new_ones(1)])
