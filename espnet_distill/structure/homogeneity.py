"""Positive homogeneity between a group and its readers: f(λx) = λ f(x), λ > 0."""

import contextlib
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import nn

from espnet_distill.structure.groups import Axis, Group
from espnet_distill.structure.statistics.hooks import evaluation_mode, observe_inputs


def producers(state: Mapping[str, torch.Tensor], group: Group) -> list[Axis]:
    """Return the axes of the weight, and of its bias, that compute a group's units.

    The list is empty if several weights compute the units, if another parameter, such
    as that of a normalization, lies along them, or if a unit has several positions.
    """
    if any(axis.dim not in (0, 1) or len(axis.places) > 1 for axis in group.axes):
        return []
    outputs = [axis for axis in group.axes if axis.dim == 0]
    weights = [axis.parameter for axis in outputs if state[axis.parameter].dim() > 1]
    if len(weights) != 1 or len(outputs) == len(group.axes):
        return []
    layer = {weights[0], _bias_of(weights[0])}
    return outputs if layer.issuperset(axis.parameter for axis in outputs) else []


def _bias_of(weight: str) -> str:
    return weight.removesuffix("weight") + "bias"


TOLERANCE = 1e-3


def is_homogeneous(model: nn.Module, group: Group, run: Callable) -> bool:
    """Return True if f(λx) = λ f(x), λ > 0, between a group and its readers.

    That holds for a rectifier, leaky or not, and without an activation. It does not
    hold for a normalization, a smooth activation or multi-head attention. The test
    gives all units the same weights, times ±λ, and compares the readers' inputs.

    Args:
        model: The model; its weights are restored.
        group: A group of it.
        run: See ``find_groups``.
    """
    layer = producers(model.state_dict(), group)
    if not layer:
        return False
    scales = torch.logspace(-2, 2, (group.size + 1) // 2).repeat_interleave(2)
    scales = scales[: group.size, None]
    signs = torch.ones_like(scales)
    signs[1::2] = -1
    readers = {axis.parameter: axis.places[0] for axis in group.axes if axis.dim == 1}
    with _scaled_copies(model, layer, scales * signs):
        inputs = _record_inputs(model, readers, run)
    return set(inputs) == set(readers) and all(
        _are_equal(units / scales, signs[:, 0]) for units in inputs.values()
    )


@contextlib.contextmanager
def _scaled_copies(
    model: nn.Module, layer: list[Axis], factors: torch.Tensor
) -> Iterator[None]:
    """Give all units the same weights, times their factors, (size, 1)."""
    parameters = [model.get_parameter(axis.parameter) for axis in layer]
    before = [parameter.detach().clone() for parameter in parameters]
    generator = torch.Generator().manual_seed(0)
    try:
        for axis, parameter in zip(layer, parameters):
            one = torch.randn(1, parameter[0].numel(), generator=generator)
            units = (factors * one).view(-1, *parameter.shape[1:])
            parameter.data[axis.places[0]] = units.to(parameter)
        yield
    finally:
        for parameter, tensor in zip(parameters, before):
            parameter.data.copy_(tensor)


def _record_inputs(
    model: nn.Module, readers: dict[str, torch.Tensor], run: Callable
) -> dict[str, torch.Tensor]:
    """Return each reader's input from the units, (size, positions), at its last run."""
    inputs: dict[str, torch.Tensor] = {}

    def observe(name: str, x: torch.Tensor) -> None:
        inputs[name] = x[readers[name].to(x.device)].double().cpu()

    with evaluation_mode(model), observe_inputs(model, observe, only=readers):
        run(model, None)
    return inputs


def _are_equal(units: torch.Tensor, signs: torch.Tensor) -> bool:
    """Return True if units of the same sign are equal, and not all units are zero."""
    for sign in (1, -1):
        same = units[signs == sign]
        if len(same) and (same - same[0]).abs().max() > TOLERANCE * same.abs().max():
            return False
    return bool(units.any())
