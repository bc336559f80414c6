"""Attention heads as groups: a unit is a whole head."""

import torch
from espnet2.legacy.nets.pytorch_backend.transformer.attention import (
    MultiHeadedAttention,
)
from torch import nn

from espnet_distill.structure.coupling import Axis, Group

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
BY_HEAD = (("pos_bias_u", 0), ("pos_bias_v", 0))


def find_head_groups(model: nn.Module) -> list[Group]:
    """Return one group for each attention layer of a model, in module order.

    A layer without some of its heads has as many channels in each of the others
    (``d_k``), which no stock configuration says: its ``h`` must be set.
    """
    return [
        _group(name, module)
        for name, module in model.named_modules()
        if isinstance(module, MultiHeadedAttention)
    ]


def _group(name: str, attention: MultiHeadedAttention) -> Group:
    heads, channels = attention.h, attention.d_k
    rows = torch.arange(heads * channels).view(heads, channels).T
    known = dict(attention.named_parameters())
    axes = [
        Axis(f"{name}.{parameter}".lstrip("."), dim, places)
        for kind, places in ((BY_CHANNEL, rows), (BY_HEAD, torch.arange(heads)[None]))
        for parameter, dim in kind
        if parameter in known
    ]
    return Group(heads, tuple(axes))
