"""The text encoder of the original VITS: relative positions within a window."""

import math

import torch
from torch import nn
from torch.nn import functional


class WindowedAttention(nn.Module):
    """Self-attention with embeddings of the distances up to a window.

    Keys and values get an embedding of the distance between two positions if it is at
    most `window` (Shaw et al., NAACL 2018, arXiv:1803.02155, equations 3 and 4).

    Args:
        channels: Width of the input.
        heads: Number of heads, a divisor of the width.
        window: The largest distance that has an embedding.
        shared: Whether all heads share the embeddings.
    """

    def __init__(self, channels: int, heads: int, window: int, shared: bool):
        super().__init__()
        self.heads, self.window = heads, window
        for name in ("query", "key", "value", "output"):
            setattr(self, name, nn.Linear(channels, channels))
        shape = (1 if shared else heads, 2 * window + 1, channels // heads)
        deviation = shape[-1] ** -0.5
        self.distance_key = nn.Parameter(deviation * torch.randn(shape))
        self.distance_value = nn.Parameter(deviation * torch.randn(shape))

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Map (B, T, channels) to the same shape.

        Args:
            x: The sequences.
            mask: True where there is no padding (B, 1, 1, T).
        """
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        query = query / math.sqrt(query.size(-1))
        distances, inside = self._distances(x.size(1), x.device)
        by_distance = query @ self.distance_key.transpose(-1, -2)
        index = distances.expand(*by_distance.shape[:2], -1, -1)
        scores = query @ key.transpose(-1, -2) + by_distance.gather(-1, index) * inside
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1)
        y = weights @ value + self._near(weights) @ self.distance_value
        return self.output(y.transpose(1, 2).flatten(2))

    def _near(self, weights: torch.Tensor) -> torch.Tensor:
        """Return the weights (B, H, T, 2 window + 1) of the positions in the window."""
        padded = functional.pad(weights, (self.window, self.window))
        steps = torch.arange(weights.size(2), device=weights.device)
        offsets = torch.arange(2 * self.window + 1, device=weights.device)
        index = (steps[:, None] + offsets).expand(*weights.shape[:2], -1, -1)
        return padded.gather(-1, index)

    def _distances(self, length: int, device) -> tuple[torch.Tensor, torch.Tensor]:
        """Return indices of the embeddings (T, T), and which distances have one."""
        steps = torch.arange(length, device=device)
        distances = steps - steps[:, None] + self.window
        inside = (distances >= 0) & (distances <= 2 * self.window)
        return distances.clamp(0, 2 * self.window), inside


class WindowedLayer(nn.Module):
    """Attention and two convolutions, each with a residual and then a normalization.

    Args:
        channels: Width of the input.
        units: Width between the convolutions.
        kernel_size: Their odd size.
        heads, window, shared: See `WindowedAttention`.
    """

    def __init__(
        self,
        channels: int,
        units: int,
        kernel_size: int,
        heads: int,
        window: int,
        shared: bool,
    ):
        super().__init__()
        self.attention = WindowedAttention(channels, heads, window, shared)
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        padding = kernel_size // 2
        self.conv1 = nn.Conv1d(channels, units, kernel_size, padding=padding)
        self.conv2 = nn.Conv1d(units, channels, kernel_size, padding=padding)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Map (B, T, channels) with a mask (B, 1, T) to the same shape."""
        x = self.norm1(x + self.attention(x, mask.unsqueeze(1).bool()))
        y = functional.relu(self.conv1(x.transpose(1, 2) * mask))
        y = self.conv2(y * mask) * mask
        return self.norm2(x + y.transpose(1, 2))


class WindowedTextEncoder(nn.Module):
    """Text encoder of the original VITS (arXiv:2106.06103), with ESPnet's interface.

    Args:
        vocabs: Number of tokens.
        channels: Width.
        layers: Number of layers.
        units: Width between the two convolutions of a layer.
        kernel_size: Their odd size.
        heads, window, shared: See `WindowedAttention`.
    """

    def __init__(
        self,
        vocabs: int,
        channels: int = 192,
        layers: int = 6,
        units: int = 768,
        kernel_size: int = 3,
        heads: int = 2,
        window: int = 4,
        shared: bool = True,
    ):
        super().__init__()
        self.emb = nn.Embedding(vocabs, channels)
        nn.init.normal_(self.emb.weight, 0.0, channels**-0.5)
        self.layers = nn.ModuleList(
            WindowedLayer(channels, units, kernel_size, heads, window, shared)
            for _ in range(layers)
        )
        self.proj = nn.Conv1d(channels, 2 * channels, 1)

    def forward(
        self, x: torch.Tensor, x_lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Encode token ids, as ESPnet's TextEncoder does.

        Args:
            x: Token ids (B, T).
            x_lengths: Their numbers (B,).

        Returns:
            Representations, and means and log-scales of the prior, each (B, channels,
            T); the mask (B, 1, T).
        """
        steps = torch.arange(x.size(1), device=x.device)
        mask = (steps < x_lengths[:, None]).unsqueeze(1).to(self.emb.weight.dtype)
        x = self.emb(x) * math.sqrt(self.emb.embedding_dim)
        for layer in self.layers:
            x = layer(x, mask)
        x = x.transpose(1, 2) * mask
        means, log_scales = (self.proj(x) * mask).chunk(2, dim=1)
        return x, means, log_scales, mask
