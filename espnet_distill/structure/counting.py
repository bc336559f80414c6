"""Layer normalisations over some of their units only."""

from functools import partial

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle


def count_only(norm: nn.LayerNorm, kept: torch.Tensor) -> RemovableHandle:
    """Normalise over some units, as a model without the others does, from now on.

    The others come out as zero. A mask alone does not do that: zeros that are counted
    move the mean and the variance of what is kept.

    Args:
        norm: Of one dimension; ESPnet's say in `dim` which it is, torch's is the last.
        kept: Booleans (units,).

    Returns:
        What undoes it.
    """
    return norm.register_forward_hook(partial(_counted, kept.nonzero().flatten()))


def _counted(units: torch.Tensor, norm: nn.LayerNorm, inputs, output: torch.Tensor):
    dim = getattr(norm, "dim", -1)
    units = units.to(output.device)
    y = nn.functional.layer_norm(
        inputs[0].index_select(dim, units).movedim(dim, -1),
        (len(units),),
        norm.weight[units],
        norm.bias[units],
        norm.eps,
    )
    return torch.zeros_like(output).index_copy(dim, units, y.movedim(-1, dim).to(output))
