"""Layer normalization over the units that stay."""

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from espnet_distill.structure.groups import Group


def masked_layer_norm(norm: nn.LayerNorm, kept: torch.Tensor) -> RemovableHandle:
    """Normalize over the units that stay, as the model without the others does.

    The other outputs are zero. A mask alone does not suffice: masked units would still
    change the mean and the variance of the others.

    Args:
        norm: The normalization over one dimension: ``dim`` in ESPnet's class, the last
            in torch's.
        kept: Channels that stay, booleans (channels,).

    Returns:
        A handle whose ``remove()`` restores the normalization over all units.
    """
    return norm.register_forward_hook(_KeptNorm(kept))


class _KeptNorm:
    """Normalize over the units that this hook and all others of its class keep."""

    def __init__(self, kept: torch.Tensor):
        self._kept = kept

    def __call__(self, norm: nn.LayerNorm, inputs, output: torch.Tensor):
        hooks = norm._forward_hooks.values()
        masks = [hook._kept for hook in hooks if isinstance(hook, _KeptNorm)]
        kept = torch.stack([mask.cpu() for mask in masks]).all(0)
        units = kept.nonzero().flatten().to(output.device)
        return _normalize_kept(units, norm, inputs[0], output)


def _normalize_kept(
    units: torch.Tensor, norm: nn.LayerNorm, x: torch.Tensor, output: torch.Tensor
) -> torch.Tensor:
    dim = getattr(norm, "dim", -1)
    y = nn.functional.layer_norm(
        x.index_select(dim, units).movedim(dim, -1),
        (len(units),),
        norm.weight[units],
        norm.bias[units],
        norm.eps,
    )
    return torch.zeros_like(output).index_copy(
        dim, units, y.movedim(-1, dim).to(output)
    )


def mask_layer_norms(
    model: nn.Module, group: Group, kept: torch.Tensor
) -> list[RemovableHandle]:
    """Normalize over the units of a group that stay; return the hooks.

    Args:
        model: The model.
        group: A group of it.
        kept: Units that stay, booleans (size,).
    """
    handles = []
    for axis in group.axes:
        owner, _, kind = axis.parameter.rpartition(".")
        module = model.get_submodule(owner)
        if kind == "weight" and isinstance(module, nn.LayerNorm):
            channels = torch.ones(len(module.weight), dtype=torch.bool)
            channels[axis.places[:, ~kept.cpu()]] = False
            handles.append(masked_layer_norm(module, channels))
    return handles


TOLERANCE = 1e-2


def layer_norms(model: nn.Module, group: Group) -> list[nn.LayerNorm]:
    """Return the layer normalizations over a group's units."""
    modules = dict(model.named_modules())
    owners = {axis.parameter.rpartition(".")[0]: None for axis in group.axes}
    candidates = [modules.get(name) for name in owners]
    return [module for module in candidates if isinstance(module, nn.LayerNorm)]


def is_normalized(units: torch.Tensor, norm: nn.LayerNorm) -> bool:
    """Return True if units, (size, positions), are the outputs of a normalization."""
    plain = _undo_affine(units[:, units.any(0)], norm, slice(None))
    variances, means = torch.var_mean(plain, dim=0, correction=0)
    deviations = torch.maximum(means.abs(), (variances - 1).abs())
    return bool((deviations < TOLERANCE).all())


def renormalize(
    units: torch.Tensor, norm: nn.LayerNorm, kept: torch.Tensor
) -> torch.Tensor:
    """Return the units that stay, (kept, positions), normalized without the others.

    Padding stays zero.
    """
    plain = _undo_affine(units[kept], norm, kept)
    normalized = nn.functional.layer_norm(plain.T, (len(kept),), norm.weight[kept])
    return (normalized + norm.bias[kept]).T * units.any(0)


def _undo_affine(units: torch.Tensor, norm: nn.LayerNorm, which) -> torch.Tensor:
    """Undo a normalization's scales and shifts."""
    return (units - norm.bias[which, None]) / norm.weight[which, None]
