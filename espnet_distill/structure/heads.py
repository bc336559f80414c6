"""Pruning groups of attention: heads, or the channels of each head."""

from collections.abc import Sequence

import torch
from torch import nn

from espnet_distill.structure.groups import Axis, Group
from espnet_distill.structure.residual import is_attention

BY_CHANNEL = (
    ("linear_q.weight", 0),
    ("linear_q.bias", 0),
    ("linear_k.weight", 0),
    ("linear_k.bias", 0),
    ("linear_v.weight", 0),
    ("linear_v.bias", 0),
    ("linear_pos.weight", 0),
    ("linear_out.weight", 1),
)


BY_HEAD = ("pos_bias_u", "pos_bias_v")


ATTRIBUTES = ("h", "d_k", "linear_q", "linear_k", "linear_v", "linear_out")


def is_multi_head(module: nn.Module) -> bool:
    """Return True for attention of ``h`` heads, each of ``d_k`` channels.

    Its projections are named as in ESPnet: ``linear_q``, ``linear_k``, ``linear_v`` and
    ``linear_out``.
    """
    return all(hasattr(module, name) for name in ATTRIBUTES)


def find_head_groups(
    model: nn.Module, groups: Sequence[Group] | None = None
) -> list[Group]:
    """Return one group for each attention layer of a model, in module order.

    A layer with fewer heads keeps the width of each head (``d_k``). No stock
    configuration expresses that: the layer's ``h`` must be set.

    Args:
        model: The model.
        groups: All its groups, to exclude attention whose channels are coupled with
            other units; None to exclude none.
    """
    return [_head_group(name, module) for name, module in _attentions(model, groups)]


def find_channel_groups(
    model: nn.Module, groups: Sequence[Group] | None = None
) -> list[list[Group]]:
    """Return the channels of each head of each attention layer, one group a head.

    A layer whose heads lose equally many channels is narrower in ``d_k`` alone.

    Args:
        model: The model.
        groups: See :func:`find_head_groups`.
    """
    return [
        [_channel_group(name, module, head) for head in range(module.h)]
        for name, module in _attentions(model, groups)
    ]


def _attentions(
    model: nn.Module, groups: Sequence[Group] | None
) -> list[tuple[str, nn.Module]]:
    layers = [
        (name, module)
        for name, module in model.named_modules()
        if is_multi_head(module)
    ]
    if groups is None:
        return layers
    separate = [group for group in groups if is_attention(group)]
    return [
        (name, module)
        for name, module in layers
        if any(
            (f"{name}.linear_q.weight".lstrip("."), 0) in group for group in separate
        )
    ]


def scale_queries(
    state: dict[str, torch.Tensor], attention: str, channels: int, left: int
) -> None:
    """Rescale queries for narrower heads, in place, so that attention scores stay.

    A score is divided by the square root of a head's width (Vaswani et al., NeurIPS
    2017).

    Args:
        state: A state dictionary with the narrower attention's weights.
        attention: Name of the attention layer.
        channels: Width of a head before.
        left: Width of a head now.
    """
    for suffix in ("linear_q.weight", "linear_q.bias", "pos_bias_u", "pos_bias_v"):
        if (name := f"{attention}.{suffix}".lstrip(".")) in state:
            state[name] = state[name] * (left / channels) ** 0.5


def _head_group(name: str, attention: nn.Module) -> Group:
    rows = torch.arange(attention.h * attention.d_k).view(attention.h, -1).T
    heads = torch.arange(attention.h)[None]
    places = [(kind, dim, rows) for kind, dim in BY_CHANNEL]
    places += [(kind, 0, heads) for kind in BY_HEAD]
    return Group(attention.h, _axes(name, attention, places))


def _channel_group(name: str, attention: nn.Module, head: int) -> Group:
    channels = head * attention.d_k + torch.arange(attention.d_k)[None]
    places = [(kind, dim, channels) for kind, dim in BY_CHANNEL]
    places += [(kind, None, channels) for kind in BY_HEAD]
    return Group(attention.d_k, _axes(name, attention, places))


def _axes(name: str, attention: nn.Module, places) -> tuple[Axis, ...]:
    parameters = dict(attention.named_parameters())
    return tuple(
        Axis(f"{name}.{kind}".lstrip("."), dim, positions)
        for kind, dim, positions in places
        if kind in parameters
    )
