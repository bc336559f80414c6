"""Attention heads: groups whose units are whole heads, or the channels of one."""

from collections.abc import Sequence

import torch
from espnet2.legacy.nets.pytorch_backend.transformer.attention import (
    MultiHeadedAttention,
)
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


def find_head_groups(
    model: nn.Module, groups: Sequence[Group] | None = None
) -> list[Group]:
    """Return one group for each attention layer of a model, in module order.

    A layer without some of its heads has as many channels in each of the others
    (``d_k``), which no stock configuration says: its ``h`` must be set.

    Args:
        model: The model.
        groups: All its groups: without an attention whose channels are no group of
            their own, but go with other units.
    """
    return [_heads(*one) for one in _attentions(model, groups)]


def find_channel_groups(
    model: nn.Module, groups: Sequence[Group] | None = None
) -> list[list[Group]]:
    """Return one group for each head of each attention layer: its channels.

    A layer whose heads have all lost as many is narrower in ``d_k`` alone.

    Args:
        model: The model.
        groups: As :func:`find_head_groups` takes them.
    """
    return [
        [_channels(name, module, head) for head in range(module.h)]
        for name, module in _attentions(model, groups)
    ]


def _attentions(
    model: nn.Module, groups: Sequence[Group] | None
) -> list[tuple[str, MultiHeadedAttention]]:
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, MultiHeadedAttention)
    ]
    if groups is None:
        return found
    own = [group for group in groups if is_attention(group)]
    return [
        (name, module)
        for name, module in found
        if any((f"{name}.linear_q.weight".lstrip("."), 0) in group for group in own)
    ]


def scale_queries(
    state: dict[str, torch.Tensor], attention: str, channels: int, left: int
) -> None:
    """Let heads with fewer channels score as before, in place.

    A score is divided by the root of a head's width (Vaswani et al., NeurIPS 2017).

    Args:
        state: A state dictionary with the narrower attention's weights.
        attention: Its name.
        channels: Of a head, before.
        left: Of a head, now.
    """
    for suffix in ("linear_q.weight", "linear_q.bias", "pos_bias_u", "pos_bias_v"):
        if (name := f"{attention}.{suffix}".lstrip(".")) in state:
            state[name] = state[name] * (left / channels) ** 0.5


def _heads(name: str, attention: MultiHeadedAttention) -> Group:
    rows = torch.arange(attention.h * attention.d_k).view(attention.h, -1).T
    heads = torch.arange(attention.h)[None]
    places = [(kind, dim, rows) for kind, dim in BY_CHANNEL]
    places += [(kind, 0, heads) for kind in BY_HEAD]
    return Group(attention.h, _axes(name, attention, places))


def _channels(name: str, attention: MultiHeadedAttention, head: int) -> Group:
    own = head * attention.d_k + torch.arange(attention.d_k)[None]
    places = [(kind, dim, own) for kind, dim in BY_CHANNEL]
    places += [(kind, None, own) for kind in BY_HEAD]
    return Group(attention.d_k, _axes(name, attention, places))


def _axes(name: str, attention: MultiHeadedAttention, places) -> tuple[Axis, ...]:
    known = dict(attention.named_parameters())
    return tuple(
        Axis(f"{name}.{kind}".lstrip("."), dim, own)
        for kind, dim, own in places
        if kind in known
    )
