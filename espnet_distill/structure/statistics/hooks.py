"""Hooks that pass the inputs of a model's layers to an observer."""

import contextlib
from collections.abc import Callable, Container, Iterator

import torch
from torch import nn

from espnet_distill.structure.groups import TRANSPOSED, WEIGHTED

ACTIVATIONS = "inputs of the model's layers"


REMEDY = "leave out the utterances that the model cannot compute, or name another model"


Observe = Callable[[str, torch.Tensor], None]


@contextlib.contextmanager
def observe_inputs(
    model: nn.Module, observe: Observe, only: Container[str] | None = None
) -> Iterator[None]:
    """Call an observer with the inputs of a model's layers within the context.

    Args:
        model: The model.
        observe: Called with the name of the weight whose columns (dim 1) multiply an
            input, and the input, (channels, positions), without gradient.
        only: Names of the weights to observe; None for all.
    """
    hooks = []
    for module_name, module in model.named_modules():
        weight = _reading_weight(module)
        name = f"{module_name}.{weight}".lstrip(".")
        if weight and (only is None or name in only):
            hooks.append(module.register_forward_pre_hook(_hook(name, observe)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextlib.contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Set a model to evaluation, without gradients, within the context."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True


def _hook(name: str, observe: Observe) -> Callable:
    def hook(module: nn.Module, inputs: tuple) -> None:
        x = inputs[0]
        x = getattr(x, "data", x).detach()  # a packed sequence has its tensor in .data
        axis = 1 if isinstance(module, nn.modules.conv._ConvNd) else -1
        observe(name, x.movedim(axis, 0).flatten(1))

    return hook


def _reading_weight(module: nn.Module) -> str | None:
    """Return the name of the weight whose columns multiply a module's input, or None."""
    if isinstance(module, nn.RNNBase):
        return "weight_ih_l0"
    if isinstance(module, nn.RNNCellBase):
        return "weight_ih"
    if getattr(module, "groups", 1) > 1 or isinstance(
        module, (nn.Embedding, *TRANSPOSED)
    ):
        return None
    return "weight" if isinstance(module, WEIGHTED) else None
