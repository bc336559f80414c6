"""FastSpeech2 with depthwise-separable convolutions."""

from collections.abc import Sequence

import torch
from torch import nn

from espnet_distill.errors import ConfigError
from espnet_distill.students.models.fastspeech2_variant import FastSpeech2Variant


class SeparableLayer(nn.Module):
    """A residual block of a depthwise and a pointwise convolution."""

    def __init__(self, channels: int, kernel_size: int, dropout: float):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.depthwise = nn.Conv1d(
            channels, channels, kernel_size, padding=kernel_size // 2, groups=channels
        )
        self.pointwise = nn.Linear(channels, channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, xs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Map (B, T, channels) with a mask (B, T, 1) to (B, T, channels)."""
        hs = self.norm(xs) * mask
        hs = self.depthwise(hs.transpose(1, 2)).transpose(1, 2)
        return xs + self.dropout(torch.relu(self.pointwise(hs)))


class FastSpeech2SepConv(FastSpeech2Variant):
    """FastSpeech2 of separable convolutions; ``tts: fastspeech2_sepconv``.

    The default kernel sizes are those of LightSpeech (Luo et al.,
    ICASSP 2021, arXiv:2102.04040).
    """

    def __init__(
        self,
        idim: int,
        odim: int,
        adim: int = 128,
        encoder_kernel_sizes: Sequence[int] = (5, 25, 13, 9),
        decoder_kernel_sizes: Sequence[int] = (17, 21, 9, 13),
        dropout_rate: float = 0.0,
        **conf,
    ):
        """Build the model.

        Args:
            idim: Number of tokens.
            odim: Mel bands.
            adim: Width.
            encoder_kernel_sizes, decoder_kernel_sizes: One for each layer, odd.
            dropout_rate: Dropout after each layer.
            conf: See ``FastSpeech2Variant``.
        """

        def layers(key: str, kernel_sizes: Sequence[int]) -> list[nn.Module]:
            if any(size % 2 == 0 for size in kernel_sizes):
                raise ConfigError(f"tts_conf.{key}: {list(kernel_sizes)} are not odd")
            return [SeparableLayer(adim, size, dropout_rate) for size in kernel_sizes]

        super().__init__(
            idim,
            odim,
            adim,
            layers("encoder_kernel_sizes", encoder_kernel_sizes),
            layers("decoder_kernel_sizes", decoder_kernel_sizes),
            **conf,
        )
