"""Groups whose units scale: f(λx) = λ f(x) for λ > 0."""

import contextlib
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import nn

from espnet_distill.structure.groups import Axis, Group
from espnet_distill.structure.statistics.hooks import evaluation_mode, observe_inputs


def producers(state: Mapping[str, torch.Tensor], group: Group) -> list[Axis]:
    """Return the axes of the weight, and of its bias, that make a group's units.

    None at all if several weights make them, if anything else lies along the units, as
    a normalisation does, or if a unit has several places.
    """
    if any(axis.dim not in (0, 1) or len(axis.places) > 1 for axis in group.axes):
        return []
    made = [axis for axis in group.axes if axis.dim == 0]
    weights = [axis.parameter for axis in made if state[axis.parameter].dim() > 1]
    if len(weights) != 1 or len(made) == len(group.axes):
        return []
    own = {weights[0], _bias_of(weights[0])}
    return made if own.issuperset(axis.parameter for axis in made) else []


def _bias_of(weight: str) -> str:
    return weight.removesuffix("weight") + "bias"


TOLERANCE = 1e-3


def is_homogeneous(model: nn.Module, group: Group, run: Callable) -> bool:
    """Tell whether like units λ times as large are read λ times as large, for λ > 0.

    They are behind rectifiers, leaky or not, or no activation at all; they are not
    behind a normalisation, a smooth activation or the attention of several heads. For
    a while all units get the same weights, λ times, with either sign.

    Args:
        model: The model; it is left as it was.
        group: A group of it.
        run: As ``find_groups`` takes it.
    """
    made = producers(model.state_dict(), group)
    if not made:
        return False
    scales = torch.logspace(-2, 2, (group.size + 1) // 2).repeat_interleave(2)
    scales = scales[: group.size, None]
    signs = torch.ones_like(scales)
    signs[1::2] = -1
    readers = {axis.parameter: axis.places[0] for axis in group.axes if axis.dim == 1}
    with _like_units(model, made, scales * signs):
        heard = _heard(model, readers, run)
    return set(heard) == set(readers) and all(
        _are_alike(units / scales, signs[:, 0]) for units in heard.values()
    )


@contextlib.contextmanager
def _like_units(
    model: nn.Module, made: list[Axis], factors: torch.Tensor
) -> Iterator[None]:
    """Let all units be made by the same weights, times their factors, (size, 1)."""
    parameters = [model.get_parameter(axis.parameter) for axis in made]
    before = [parameter.detach().clone() for parameter in parameters]
    generator = torch.Generator().manual_seed(0)
    try:
        for axis, parameter in zip(made, parameters):
            one = torch.randn(1, parameter[0].numel(), generator=generator)
            units = (factors * one).view(-1, *parameter.shape[1:])
            parameter.data[axis.places[0]] = units.to(parameter)
        yield
    finally:
        for parameter, tensor in zip(parameters, before):
            parameter.data.copy_(tensor)


def _heard(
    model: nn.Module, readers: dict[str, torch.Tensor], run: Callable
) -> dict[str, torch.Tensor]:
    """What each reader gets of the units, (size, positions), when it last runs."""
    heard: dict[str, torch.Tensor] = {}

    def observe(name: str, x: torch.Tensor) -> None:
        heard[name] = x[readers[name].to(x.device)].double().cpu()

    with evaluation_mode(model), observe_inputs(model, observe, only=readers):
        run(model, None)
    return heard


def _are_alike(units: torch.Tensor, signs: torch.Tensor) -> bool:
    """Tell whether units of the same sign are the same, and not all silent."""
    for sign in (1, -1):
        own = units[signs == sign]
        if len(own) and (own - own[0]).abs().max() > TOLERANCE * own.abs().max():
            return False
    return bool(units.any())
