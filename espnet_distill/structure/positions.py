"""Positional encodings of a residual stream that keeps some of its channels."""

import copy
import math

import torch
from torch import nn

from espnet_distill.structure.groups import Group
from espnet_distill.structure.residual import attentions_of, nearest_frequencies


class MaskedEncoding:
    """Encode positions as the model without the other channels does.

    A narrower encoding has other frequencies, and multiplies its input by the square
    root of another width. The channels that do not stay get no encoding.
    """

    def __init__(self, encoding: nn.Module, kept: torch.Tensor):
        """Change an encoding in place.

        Args:
            encoding: A module with the table ``pe``, (1, positions, ``d_model``), which
                ``extend_pe(x)`` makes as long as x, and the scale ``xscale``.
            kept: Channels that stay, (units,).
        """
        self._encoding, self._kept = encoding, kept
        self._before = encoding.pe, encoding.xscale
        self._narrow, self._table = _narrowed(encoding, len(kept)), None
        encoding.xscale = math.sqrt(len(kept))
        self._hook = encoding.register_forward_pre_hook(self._extend)

    def remove(self) -> None:
        """Restore the encoding."""
        self._hook.remove()
        self._encoding.pe, self._encoding.xscale = self._before

    def _extend(self, encoding: nn.Module, inputs: tuple) -> None:
        """Make the table long enough for an input, of its type and on its device."""
        narrow, before = self._narrow, self._narrow.pe
        narrow.extend_pe(inputs[0])
        if self._table is None or narrow.pe is not before:
            whole = narrow.pe.new_zeros(*narrow.pe.shape[:2], encoding.d_model)
            channels = self._kept.to(narrow.pe.device)
            self._table = whole.index_copy(2, channels, narrow.pe)
        encoding.pe = self._table


def _narrowed(encoding: nn.Module, width: int) -> nn.Module:
    """Return a narrower encoding with as long a table.

    Legacy relative encodings begin at the table's end.
    """
    narrow, length = copy.copy(encoding), encoding.pe.size(1)
    narrow.d_model = width
    for positions in (length, (length + 1) // 2):  # of both signs, where relative
        narrow.pe = None
        narrow.extend_pe(encoding.pe.new_zeros(1, positions))
        if narrow.pe.size(1) == length:
            break
    return narrow


def mask_encodings(
    model: nn.Module, group: Group, kept: torch.Tensor
) -> list[MaskedEncoding]:
    """Mask the positional encodings of a residual stream; return them.

    There is none unless the channels that stay are those of ``nearest_frequencies``, as
    at the end of a schedule.

    Args:
        model: The model.
        group: The residual stream.
        kept: Channels that stay, booleans (size,).
    """
    channels = kept.nonzero().flatten().cpu()
    is_even = len(channels) % 2 == 0 and group.size % 2 == 0
    if not 0 < len(channels) < group.size or not is_even:
        return []
    if not channels.equal(nearest_frequencies(group.size, len(channels))):
        return []
    return [MaskedEncoding(one, channels) for one in _encodings(model, group)]


def _encodings(model: nn.Module, group: Group) -> list[nn.Module]:
    """Return the encodings that are added to a group's units.

    Each is the only one in the smallest module around an attention layer that has any.
    """
    modules = {
        name: module
        for name, module in model.named_modules()
        if hasattr(module, "extend_pe")
        and hasattr(module, "xscale")
        and getattr(module, "d_model", None) == group.size
    }
    found: dict[str, nn.Module] = {}
    for attention in attentions_of(group):
        parent = attention
        while parent:
            parent = parent.rpartition(".")[0]
            prefix = f"{parent}." if parent else ""
            inside = [name for name in modules if name.startswith(prefix)]
            if len(inside) == 1:
                found[inside[0]] = modules[inside[0]]
            if inside:
                break
    return list(found.values())
