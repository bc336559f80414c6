"""Weight normalization as part of the weights."""

import contextlib

from torch import nn


def fold_weight_norm(module: nn.Module) -> None:
    """Fold weight normalization into the weights of all layers."""
    for layer in module.modules():
        with contextlib.suppress(ValueError):  # it has none
            nn.utils.remove_weight_norm(layer)
