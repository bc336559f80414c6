"""Stacks of layers: their depths, and the layers that stay."""

import re
from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle


def depths(names) -> dict[str, int]:
    """Return the depth of each numbered stack in parameter names."""
    result: dict[str, int] = {}
    for name in names:
        for number in re.finditer(r"\.(\d+)\.", name):
            stack = name[: number.start()]
            result[stack] = max(result.get(stack, 0), int(number[1]) + 1)
    return result


def spread_evenly(depth: int, kept: int) -> list[int]:
    """Choose ``kept`` of ``depth`` layers, first and last among them."""
    if kept == 1:
        return [0]
    return [round(place * (depth - 1) / (kept - 1)) for place in range(kept)]


def keep_layers(model: nn.Module, layers: Mapping[str, Sequence[int]]) -> None:
    """Remove all layers of each stack but those given, in place."""
    for stack, kept in layers.items():
        container = model.get_submodule(stack)
        for number in reversed(range(len(container))):
            if number not in kept:
                del container[number]


def skip_layers(
    model: nn.Module, layers: Mapping[str, Sequence[int]]
) -> list[RemovableHandle]:
    """Make layers of stacks the identity, as if they were removed; return the hooks.

    Their parameters stay in the graph, with gradients of zero, as training on several
    processes requires.

    Args:
        model: The model.
        layers: Stack → numbers of the layers. A layer's first input and first output
            are its residual stream, in tuples or not.
    """
    return [
        model.get_submodule(f"{stack}.{number}").register_forward_hook(_skip)
        for stack, numbers in layers.items()
        for number in numbers
    ]


def _skip(layer: nn.Module, inputs: tuple, output):
    return _with_first(output, _first(inputs) + 0 * _first(output))


def _first(value) -> torch.Tensor:
    return _first(value[0]) if isinstance(value, tuple) else value


def _with_first(value, tensor: torch.Tensor):
    if isinstance(value, tuple):
        return _with_first(value[0], tensor), *value[1:]
    return tensor


def keep_recurrent_layers(model: nn.Module, layers: Mapping[str, int]) -> None:
    """Keep the first layers of torch's recurrent modules, by name, in place."""
    for name, number in layers.items():
        module = model.get_submodule(name)
        if number < module.num_layers:
            parent, _, attribute = name.rpartition(".")
            shallow = _with_first_layers(module, number)
            setattr(model.get_submodule(parent), attribute, shallow)


def _with_first_layers(module: nn.RNNBase, number: int) -> nn.RNNBase:
    """Return a recurrent module of the first layers of another one."""
    options = ("bias", "batch_first", "dropout", "bidirectional")
    shallow = type(module)(
        *(module.input_size, module.hidden_size, number),
        **{option: getattr(module, option) for option in options},
    ).train(module.training)
    weights = module.state_dict()
    shallow.load_state_dict({name: weights[name] for name in shallow.state_dict()})
    return shallow
