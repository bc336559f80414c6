"""Inference module of MultibandISTFTGenerator."""

import torch
from torch import nn

from espnet_distill.onnx_export.transforms import OverlapAdd, inverse_matrix
from espnet_distill.vocoders.generators.base import HiFiGAN
from espnet_distill.vocoders.generators.multiband_istft import (
    MAX_MAGNITUDE,
    MultibandISTFTGenerator,
)


class MultibandISTFT(nn.Module):
    """MultibandISTFTGenerator in real arithmetic."""

    has_pulses = False

    def __init__(self, generator: MultibandISTFTGenerator):
        super().__init__()
        self.generator = generator
        half = generator.n_fft // 2
        window = generator.window
        self.register_buffer("inverse", inverse_matrix(window))
        self.add = OverlapAdd(window, generator.hop_samples, (half, half))

    def forward(
        self, mels: torch.Tensor, noise: torch.Tensor, place=None
    ) -> tuple[torch.Tensor, None]:
        """Turn mels (1, n_mels, T) into waveforms (1, T * hop), without noise."""
        generator = self.generator
        spectra = HiFiGAN.forward(generator, mels)
        spectra = torch.cat((spectra, spectra[..., -1:]), -1)
        spectra = spectra.view(generator.subbands, generator.n_fft + 2, -1)
        magnitudes, phases = spectra.transpose(1, 2).chunk(2, dim=-1)
        magnitudes = magnitudes.exp().clip(max=MAX_MAGNITUDE)
        parts = torch.cat((magnitudes * phases.cos(), magnitudes * phases.sin()), -1)
        bands = self.add(parts @ self.inverse)
        return generator.pqmf.synthesis(bands[None]).squeeze(1), None
