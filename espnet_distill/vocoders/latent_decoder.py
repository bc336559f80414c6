"""A vocoder of latents in the place of a model's waveform decoder."""

from collections.abc import Mapping

import torch

from espnet_distill.vocoders.generators.registry import build_generator
from espnet_distill.vocoders.latents import LatentSpec


class LatentDecoder(torch.nn.Module):
    """A generator and the statistics of its latents, with the decoder's interface.

    Args:
        conf: `vocoder_type` and `vocoder_params`.
        latents: What the decoder is given.
        where: A prefix of error messages.
    """

    def __init__(self, conf: Mapping, latents: LatentSpec, where: str = "tts_conf"):
        super().__init__()
        self.generator = build_generator(conf, latents, where)
        self.upsample_factor = self.generator.upsample_factor
        self.is_conditioned = bool(latents.condition_channels)
        self.register_buffer("mean", torch.zeros(latents.channels))
        self.register_buffer("std", torch.ones(latents.channels))

    def forward(self, c: torch.Tensor, g: torch.Tensor | None = None) -> torch.Tensor:
        """Turn latents (B, C, T) into waveforms (B, 1, T * upsample_factor) in [-1, 1].

        Args:
            c: The latents.
            g: Global conditioning (B, G, 1), of a generator that takes one.
        """
        c = (c - self.mean[:, None]) / self.std[:, None]
        condition = [g.squeeze(-1)] if self.is_conditioned else []
        return self.generator(c, *condition).clamp(-1, 1)
