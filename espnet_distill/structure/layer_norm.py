"""Layer normalization over the units that stay."""

from functools import partial

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from espnet_distill.structure.groups import Group


def masked_layer_norm(norm: nn.LayerNorm, kept: torch.Tensor) -> RemovableHandle:
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
    return torch.zeros_like(output).index_copy(
        dim, units, y.movedim(-1, dim).to(output)
    )


TOLERANCE = 1e-2


def layer_norms(model: nn.Module, group: Group) -> list[nn.LayerNorm]:
    """Return the layer normalisations over a group's units."""
    modules = dict(model.named_modules())
    owners = {axis.parameter.rpartition(".")[0]: None for axis in group.axes}
    found = [modules.get(name) for name in owners]
    return [module for module in found if isinstance(module, nn.LayerNorm)]


def is_normalised(units: torch.Tensor, norm: nn.LayerNorm) -> bool:
    """Tell whether units, (size, positions), are all that a normalisation gave."""
    plain = _plain(units[:, units.any(0)], norm, slice(None))
    variances, means = torch.var_mean(plain, dim=0, correction=0)
    off = torch.maximum(means.abs(), (variances - 1).abs())
    return bool((off < TOLERANCE).all())


def renormalised(
    units: torch.Tensor, norm: nn.LayerNorm, kept: torch.Tensor
) -> torch.Tensor:
    """Return the units that stay, (kept, positions), as they are without the others.

    The normalisation is then over them alone. Padding stays at zero.
    """
    plain = _plain(units[kept], norm, kept)
    anew = nn.functional.layer_norm(plain.T, (len(kept),), norm.weight[kept])
    return (anew + norm.bias[kept]).T * units.any(0)


def _plain(units: torch.Tensor, norm: nn.LayerNorm, which) -> torch.Tensor:
    """Undo scales and shifts."""
    return (units - norm.bias[which, None]) / norm.weight[which, None]
