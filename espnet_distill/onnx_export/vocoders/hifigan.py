"""Inference module of HiFi-GAN's generator."""

import torch
from espnet2.gan_tts.hifigan import HiFiGANGenerator
from torch import nn


class HiFiGAN(nn.Module):
    """ESPnet's HiFiGANGenerator as it is."""

    has_pulses = False

    def __init__(self, generator: HiFiGANGenerator):
        super().__init__()
        self.generator = generator

    def forward(
        self, mels: torch.Tensor, noise: torch.Tensor, place=None
    ) -> tuple[torch.Tensor, None]:
        """Turn mels (1, n_mels, T) into waveforms (1, T * hop), without noise."""
        return self.generator(mels).squeeze(1), None
