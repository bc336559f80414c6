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
    """A layer whose inputs or outputs are multiplied by gates.

    Attributes:
        layer: Linear, or a convolution.
        dim: Dimension of its weight that the gates multiply: 1 for inputs, 0 for
            outputs.
        numbers: Index of each channel's gate, (channels,); -1 without a gate.
    """

    layer: nn.Module
    dim: int
    numbers: torch.Tensor

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Parameters that a gate scales: the weight, and the bias if dim is 0."""
        bias = None if self.dim else self.layer.bias
        return [self.layer.weight] + ([] if bias is None else [bias])

    def by_gates(self, gates: Values) -> RemovableHandle:
        """Register a hook that multiplies by gates; return its handle.

        Args:
            gates: Called with the layer's training flag; returns the gates and a final
                1 for channels without a gate, (gates + 1,).
        """
        shape = (-1, *(1,) * (self.layer.weight.dim() - 2))

        def scaled(x: torch.Tensor) -> torch.Tensor:
            factors = gates(self.layer.training)[self.numbers.to(x.device)]
            return x * factors.view(shape).to(x.dtype)

        if self.dim:
            return self.layer.register_forward_pre_hook(
                lambda layer, inputs: (scaled(inputs[0]), *inputs[1:])
            )
        return self.layer.register_forward_hook(lambda layer, x, output: scaled(output))

    def add_sums(self, products: list[torch.Tensor], sums: torch.Tensor) -> None:
        """Add products, shaped like the parameters, to sums by gate, (gates + 1,)."""
        numbers = self.numbers.to(sums.device) % len(sums)
        for product in products:
            rows = product.movedim(self._along(product), 0)
            along = rows.reshape(len(rows), -1).sum(1)
            sums.index_add_(0, numbers, along.to(sums.dtype))

    def fold(self, gates: torch.Tensor) -> None:
        """Multiply the parameters by gates, (gates + 1,), of which the last is 1."""
        for parameter in self.parameters:
            along = self._along(parameter)
            factors = gates[self.numbers.to(gates.device)].to(parameter)
            parameter.mul_(factors.view(-1, *(1,) * (parameter.dim() - 1 - along)))

    def _along(self, tensor: torch.Tensor) -> int:
        return min(self.dim, tensor.dim() - 1)


def gated_layers(model: nn.Module, group: Group, first: int) -> list[Gated]:
    """Return the layers in which gates multiply a group's units.

    Args:
        model: The model.
        group: A pruning group of the model.
        first: Index of the gate of the group's first unit.

    Returns:
        An empty list where gates are not equivalent to masks: another module than
            linear
        layers and convolutions uses the units, such as a recurrent cell, or a
        normalized input has more than one producer.
    """
    layers = {axis: _layer(model, axis) for axis in group.axes}
    readers = [axis for axis in group.axes if axis.dim == 1]
    if not readers or not all(_is_plain(axis, layer) for axis, layer in layers.items()):
        return []
    producers = []
    if any(isinstance(layer, nn.LayerNorm) for layer in layers.values()):
        producers = [
            axis for axis, layer in layers.items() if _is_producer(axis, layer)
        ]
        if len(producers) != 1:
            return []
    return [_gated(layers[axis], axis, first) for axis in (*producers, *readers)]


def _layer(model: nn.Module, axis: Axis) -> nn.Module:
    return model.get_submodule(axis.parameter.rpartition(".")[0])


def _is_plain(axis: Axis, layer: nn.Module) -> bool:
    """Return True if gates can multiply a layer's inputs or outputs."""
    if axis.dim == 1 and not isinstance(layer, (nn.Linear, nn.modules.conv._ConvNd)):
        return False
    return not isinstance(layer, TRANSPOSED)


def _is_producer(axis: Axis, layer: nn.Module) -> bool:
    is_weight = axis.parameter.endswith(".weight")
    return axis.dim == 0 and is_weight and not isinstance(layer, NORMS)


def _gated(layer: nn.Module, axis: Axis, first: int) -> Gated:
    numbers = torch.full((layer.weight.size(axis.dim),), -1)
    numbers[axis.places] = torch.arange(first, first + axis.places.size(1))
    return Gated(layer, axis.dim, numbers)


LEARNING_RATE = 0.1


BETAS = 0.0, 0.9  # momentum closes too many gates at first, some permanently


OPEN = 4.6  # initial log_alpha: the binary concrete variable is 0 with probability 0.01


class Gates(Criterion):
    """Scores units by learned hard-concrete gates.

    Gates multiply activations, with noise in training and without it in evaluation. The
    model's parameters and their names stay the same; the gates are folded into them at
    the end. The gradient of a gate is computed from the weights that it scales: z ·
    ∂L/∂z is the sum of W · ∂L/∂W over them. It is thereby accumulated, averaged over
    processes, unscaled and clipped like the gradients of the weights, and equal in all
    processes.
    """

    window = None
    waits = True

    def __init__(
        self,
        model: nn.Module,
        parameters: Parameters,
        mask: UnitMask,
        progress: Callable[[], float],
    ):
        """Find the layers that gates multiply.

        Args:
            model: The model.
            parameters: The parameters of the groups.
            mask: The pruning groups, with the final number of units of each.
            progress: Returns the current fraction of the final pressure, from 0 to 1.

        Raises:
            ConfigError: Gates cannot multiply the units of a group.
        """
        super().__init__(model, parameters)
        self._mask = mask
        self._progress = progress
        self._groups = list(mask.groups.values())
        self._layers = _layers_of(model, mask.groups)
        self._scaled = [p for layer in self._layers for p in layer.parameters]
        self._hooks: list = []
        self._log_alpha: torch.Tensor | None = None

    def _initialize(self) -> None:
        """Create open gates and their optimizer on the model's device."""
        device = self._scaled[0].device
        sizes = torch.tensor([group.size for group in self._groups])
        self._group_of = torch.arange(len(sizes)).repeat_interleave(sizes).to(device)
        self._log_alpha = torch.full((len(self._group_of),), OPEN, device=device)
        constraints = self._mask.excess(self._kept(), 0.0)
        self._multipliers = torch.zeros(2, len(constraints), device=device)
        self._learned = [self._log_alpha, self._multipliers]
        for tensor in self._learned:
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
            self._initialize()
        self._hooks = [layer.by_gates(self._gates) for layer in self._layers]
        self._before = [parameter.detach().clone() for parameter in self._scaled]
        self._sample()

    def stop(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    @torch.enable_grad()
    def step(self) -> None:
        excess = self._mask.excess(self._kept(), self._progress())
        linear, quadratic = self._multipliers
        loss = (linear * excess + quadratic * excess.square()).sum()
        loss = loss + (self._sampled * self._gradient()).sum()
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        self._steps += 1
        self._sample()

    @torch.no_grad()
    def _gradient(self) -> torch.Tensor:
        """Return ∂L/∂z of the last step, (gates,), 0 where a gate was closed."""
        torch._foreach_mul_(self._before, [_gradient_of(p) for p in self._scaled])
        products = iter(self._before)
        sums = self._sampled.new_zeros(len(self._sampled) + 1)
        for layer in self._layers:
            layer.add_sums([next(products) for _ in layer.parameters], sums)
        torch._foreach_copy_(self._before, self._scaled)
        return torch.where(self._sampled > 0, sums[:-1] / self._sampled, 0)

    @torch.enable_grad()
    def _sample(self) -> None:
        """Sample the gates of the next step; the step's number seeds the noise."""
        generator = torch.Generator().manual_seed(self._steps)
        noise = torch.rand(len(self._log_alpha), generator=generator)
        self._sampled = sampled(self._log_alpha, noise.to(self._log_alpha))
        deterministic = noiseless(self._log_alpha)
        self._values = {True: _with_one(self._sampled), False: _with_one(deterministic)}

    def _gates(self, training: bool) -> torch.Tensor:
        return self._values[training]

    def _kept(self) -> torch.Tensor:
        """Return the expected number of open gates of each group, (groups,)."""
        kept = self._log_alpha.new_zeros(len(self._groups))
        return kept.index_add(0, self._group_of, chance_open(self._log_alpha))

    def scores(self) -> Scores:
        return {}

    def of_units(self, group: Group, scores: Scores) -> torch.Tensor:
        sizes = [known.size for known in self._groups]
        number = next(n for n, known in enumerate(self._groups) if known is group)
        return self._log_alpha.detach().cpu().split(sizes)[number].clone()

    def fold(self) -> None:
        for layer in self._layers:
            layer.fold(self._values[False])

    @torch.no_grad()
    def statistics(self) -> dict[str, float]:
        """Return the expected sparsity of the model under the gates."""
        if self._log_alpha is None:
            return {"sparsity_expected": 0.0}
        return {"sparsity_expected": float(self._mask.expected(self._kept()))}

    def reset(self) -> None:
        self.stop()
        self._log_alpha = None

    def state_dict(self) -> dict:
        if self._log_alpha is None:
            return {}
        return {
            "learned": [tensor.detach().clone() for tensor in self._learned],
            "optimizer": self._optimizer.state_dict(),
            "steps": self._steps,
        }

    @torch.no_grad()
    def load_state_dict(self, state: dict) -> None:
        if not state:
            return
        self._initialize()
        for tensor, saved in zip(self._learned, state["learned"]):
            tensor.copy_(saved)
        self._optimizer.load_state_dict(state["optimizer"])
        self._steps = state["steps"]


def _layers_of(model: nn.Module, groups: dict[str, Group]) -> list[Gated]:
    gated, refused, first = [], [], 0
    for group in groups.values():
        layers = gated_layers(model, group, first)
        refused += [] if layers else [group.axes[0].parameter]
        gated += layers
        first += group.size
    if refused:
        raise ConfigError(
            f"criterion: gates cannot multiply the units of {', '.join(refused)}; add "
            "to exclude"
        )
    return gated


def _gradient_of(parameter: nn.Parameter) -> torch.Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _with_one(gates: torch.Tensor) -> torch.Tensor:
    """Append the constant 1 of channels without a gate."""
    return torch.cat([gates.detach(), gates.new_ones(1)])
