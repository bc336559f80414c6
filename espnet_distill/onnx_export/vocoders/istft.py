"""Inference module of ISTFTGenerator."""

import math

import torch
from torch import nn

from espnet_distill.onnx_export.linear import reordered
from espnet_distill.onnx_export.transforms import InverseSTFT
from espnet_distill.onnx_export.vocoders.backbone import Backbone
from espnet_distill.vocoders.generators.istft import MAX_MAGNITUDE, ISTFTGenerator


class ISTFT(nn.Module):
    """ISTFTGenerator in real arithmetic."""

    has_pulses = False

    def __init__(self, generator: ISTFTGenerator):
        super().__init__()
        head = generator.head
        self.backbone = Backbone(generator.backbone)
        self.istft = InverseSTFT(head.istft)
        order = torch.cat(self.istft.orders)
        self.out = reordered(head.out, torch.cat((order, order + len(order))))

    def forward(
        self, mels: torch.Tensor, noise: torch.Tensor, place=None
    ) -> tuple[torch.Tensor, None]:
        """Turn mels (1, n_mels, T) into waveforms (1, T * hop), without noise."""
        features = self.out(self.backbone(mels))[None]
        even, odd, even_phases, odd_phases = features.split(2 * self.istft.sizes, -1)
        spectra = []
        for magnitudes, phases in ((even, even_phases), (odd, odd_phases)):
            magnitudes = magnitudes.clamp(max=math.log(MAX_MAGNITUDE)).exp()
            spectra += [magnitudes * phases.cos(), magnitudes * phases.sin()]
        return self.istft(*spectra), None
