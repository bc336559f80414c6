"""Linear layers made of trained ones."""

from collections.abc import Sequence

import torch
from torch import nn


def linear(weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    """Return a layer of a weight (outputs, inputs) and a bias (outputs,)."""
    layer = nn.Linear(*reversed(weight.shape))
    layer.weight, layer.bias = (nn.Parameter(one.detach()) for one in (weight, bias))
    return layer


def reordered(layer: nn.Linear, rows: torch.Tensor) -> nn.Linear:
    """Return a layer with some of another one's outputs, in this order."""
    return linear(layer.weight[rows], layer.bias[rows])


def joined(*layers: nn.Linear, scales: Sequence[float] | None = None) -> nn.Linear:
    """Join layers of one input into one; each may get a factor of its outputs."""
    scales = scales or [1.0] * len(layers)
    return linear(
        *(
            torch.cat([getattr(one, name) * by for one, by in zip(layers, scales)])
            for name in ("weight", "bias")
        )
    )
