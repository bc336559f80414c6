"""Waveform decoders of text-to-waveform models."""

import torch
from torch import nn

from espnet_distill.onnx_export.vocoders.registry import inference_module
from espnet_distill.vocoders.generators.conditioned import ConditionedGenerator
from espnet_distill.vocoders.latent_decoder import LatentDecoder


class Decoder(nn.Module):
    """A waveform decoder of latents.

    Args:
        decoder: ESPnet's HiFi-GAN, or a LatentDecoder.
        where: A prefix of messages.

    Raises:
        ConfigError: A vocoder that ONNX cannot express.
    """

    def __init__(self, decoder: nn.Module, where: str):
        super().__init__()
        self.decoder, self.projection = decoder, None
        if not isinstance(decoder, LatentDecoder):
            return
        generator = decoder.generator
        if isinstance(generator, ConditionedGenerator):
            self.projection, generator = generator.projection, generator.generator
        self.decoder = inference_module(generator, where)
        self.register_buffer("mean", decoder.mean[:, None])
        self.register_buffer("std", decoder.std[:, None])

    def forward(self, z: torch.Tensor, g: torch.Tensor | None = None) -> torch.Tensor:
        """Turn latents (1, C, T) into waveforms (1, T * hop), which are not clipped.

        Args:
            z: The latents.
            g: Global conditioning (1, G, 1), if the model has several speakers.
        """
        if not hasattr(self, "mean"):
            return self.decoder(z, g=g).squeeze(1)
        z = (z - self.mean) / self.std
        if self.projection is not None:
            z = z + self.projection(g.squeeze(-1)).unsqueeze(-1)
        wave, _ = self.decoder(z, torch.ones(1), None)
        return wave
