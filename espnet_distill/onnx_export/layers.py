"""Layers of ESPnet in the form in which they are exported: batch 1, no masks."""

import math
from collections.abc import Callable

import torch
from espnet2.legacy.nets.pytorch_backend.transformer.attention import (
    MultiHeadedAttention,
)
from espnet2.legacy.nets.pytorch_backend.transformer.embedding import (
    LegacyRelPositionalEncoding,
    PositionalEncoding,
    RelPositionalEncoding,
    ScaledPositionalEncoding,
)
from espnet2.legacy.nets.pytorch_backend.transformer.repeat import MultiSequential
from torch import nn

from espnet_distill.onnx_export.linear import joined


class Attention(nn.Module):
    """MultiHeadedAttention of a sequence to itself.

    Queries, keys and values are one product, with the scale in the queries' weights,
    unless some are low-rank layers.
    """

    def __init__(self, attention: MultiHeadedAttention):
        super().__init__()
        self.heads, self.channels = attention.h, attention.d_k
        self.out = attention.linear_out
        parts = (attention.linear_q, attention.linear_k, attention.linear_v)
        scale = 1 / math.sqrt(self.channels)
        is_plain = all(type(part) is nn.Linear for part in parts)
        self.scale = 1.0 if is_plain else scale
        self.parts = nn.ModuleList(
            [joined(*parts, scales=(scale, 1, 1))] if is_plain else parts
        )

    def forward(self, query, key, value, mask=None) -> torch.Tensor:
        """Map (1, T, channels) to the same shape; key and value are the query."""
        parts = [part(query) for part in self.parts]
        joined = parts[0] if len(parts) == 1 else torch.cat(parts, -1)
        heads = joined.split(self.channels, -1)
        contexts = []
        for head in range(self.heads):  # one after the other, for less memory
            query, key, value = heads[head :: self.heads]
            if self.scale != 1:
                query = query * self.scale
            weights = torch.softmax(query @ key.transpose(1, 2), -1)
            contexts.append(weights @ value)
        return self.out(torch.cat(contexts, -1))


class Positions(nn.Module):
    """Sinusoidal positions (1, T, channels), computed for the length of an input.

    Args:
        encoding: ESPnet's.
    """

    def __init__(self, encoding: nn.Module):
        super().__init__()
        channels = encoding.d_model
        steps = torch.arange(0, channels, 2, dtype=torch.float32)
        rates = torch.exp(steps * -(math.log(10000.0) / channels))
        self.register_buffer("rates", rates)
        self.channels, self.xscale = channels, getattr(encoding, "xscale", 1.0)

    def encode(self, positions: torch.Tensor) -> torch.Tensor:
        """Encode positions (T,)."""
        angles = positions.float().unsqueeze(-1) * self.rates
        pairs = torch.stack((angles.sin(), angles.cos()), -1)
        encoded = pairs.view(1, -1, 2 * len(self.rates))
        return encoded[..., : self.channels] if self.channels % 2 else encoded


class AbsolutePositions(Positions):
    """PositionalEncoding."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add positions to (1, T, channels)."""
        return x * self.xscale + self.encode(torch.arange(x.size(1)))


class ScaledPositions(Positions):
    """ScaledPositionalEncoding."""

    def __init__(self, encoding: ScaledPositionalEncoding):
        super().__init__(encoding)
        self.alpha = encoding.alpha

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add positions to (1, T, channels)."""
        return x + self.alpha * self.encode(torch.arange(x.size(1)))


class LegacyRelativePositions(Positions):
    """LegacyRelPositionalEncoding, which counts down from the size of its table."""

    def __init__(self, encoding: LegacyRelPositionalEncoding):
        super().__init__(encoding)
        self.first = encoding.pe.size(1) - 1

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return scaled (1, T, channels) and positions (1, T, channels)."""
        positions = self.first - torch.arange(x.size(1))
        return x * self.xscale, self.encode(positions)


class RelativePositions(Positions):
    """RelPositionalEncoding: T - 1 … 1 - T."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return scaled (1, T, channels) and positions (1, 2 T - 1, channels)."""
        positions = x.size(1) - 1 - torch.arange(2 * x.size(1) - 1)
        return x * self.xscale, self.encode(positions)


class Repeated(nn.Sequential):
    """MultiSequential without its random numbers."""

    def __init__(self, layers: MultiSequential):
        super().__init__(*layers)

    def forward(self, *args):
        """Apply each layer to the outputs of the one before."""
        for layer in self:
            args = layer(*args)
        return args


REPLACEMENTS: dict[type[nn.Module], Callable[[nn.Module], nn.Module]] = {
    MultiHeadedAttention: Attention,
    PositionalEncoding: AbsolutePositions,
    ScaledPositionalEncoding: ScaledPositions,
    LegacyRelPositionalEncoding: LegacyRelativePositions,
    RelPositionalEncoding: RelativePositions,
    MultiSequential: Repeated,
}


def replace_layers(module: nn.Module) -> nn.Module:
    """Replace the layers in REPLACEMENTS in a module, in place, and return it."""
    for name, child in module.named_children():
        setattr(module, name, replace_layers(child))
    build = REPLACEMENTS.get(type(module))
    return build(module) if build else module
