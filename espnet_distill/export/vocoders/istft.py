"""Inference module of ISTFTGenerator."""

import math

import torch
from torch import nn

from espnet_distill.export.transforms import InverseSTFT, even_odd
from espnet_distill.vocoders.generators.istft import MAX_MAGNITUDE, ISTFTGenerator


def reordered(layer: nn.Linear, rows: torch.Tensor) -> nn.Linear:
    """Return a layer with some of another one's outputs, in this order."""
    made = nn.Linear(layer.in_features, len(rows))
    made.weight = nn.Parameter(layer.weight.detach()[rows])
    made.bias = nn.Parameter(layer.bias.detach()[rows])
    return made


class ISTFT(nn.Module):
    """ISTFTGenerator in real arithmetic."""

    def __init__(self, generator: ISTFTGenerator):
        super().__init__()
        head = generator.head
        self.backbone = generator.backbone
        self.istft = InverseSTFT(head.istft)
        order = even_odd(self.istft.bins)
        self.out = reordered(head.out, torch.cat((order, order + self.istft.bins)))

    def forward(self, mels: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Turn mels (1, n_mels, T) into waveforms (1, T * hop); noise has no effect."""
        magnitudes, phases = self.out(self.backbone(mels)).chunk(2, dim=-1)
        magnitudes = magnitudes.clamp(max=math.log(MAX_MAGNITUDE)).exp()
        return self.istft(magnitudes * phases.cos(), magnitudes * phases.sin())
