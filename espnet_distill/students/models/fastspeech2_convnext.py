"""FastSpeech2 with ConvNeXt blocks."""

import torch
from torch import nn

from espnet_distill.errors import ConfigError
from espnet_distill.students.models.fastspeech2_variant import FastSpeech2Variant


class ConvNeXtLayer(nn.Module):
    """A ConvNeXt block (Liu et al., CVPR 2022) along time, as in Vocos (2023)."""

    def __init__(
        self, channels: int, units: int, kernel_size: int, scale: float, dropout: float
    ):
        super().__init__()
        self.depthwise = nn.Conv1d(
            channels, channels, kernel_size, padding=kernel_size // 2, groups=channels
        )
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, units)
        self.contract = nn.Linear(units, channels)
        self.scale = nn.Parameter(scale * torch.ones(channels))
        self.dropout = nn.Dropout(dropout)

    def forward(self, xs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Map (B, T, channels) with a mask (B, T, 1) to (B, T, channels)."""
        hs = self.depthwise((xs * mask).transpose(1, 2)).transpose(1, 2)
        hs = self.contract(nn.functional.gelu(self.expand(self.norm(hs))))
        return xs + self.dropout(self.scale * hs)


class FastSpeech2ConvNeXt(FastSpeech2Variant):
    """FastSpeech2 of ConvNeXt blocks; ``tts: fastspeech2_convnext``."""

    def __init__(
        self,
        idim: int,
        odim: int,
        adim: int = 128,
        elayers: int = 4,
        eunits: int = 256,
        dlayers: int = 4,
        dunits: int = 256,
        kernel_size: int = 7,
        dropout_rate: float = 0.0,
        **conf,
    ):
        """Build the model.

        Args:
            idim: Number of tokens.
            odim: Mel bands.
            adim: Width.
            elayers, dlayers: Blocks of encoder and decoder.
            eunits, dunits: Inner width of their blocks.
            kernel_size: Kernel size of the depthwise convolutions, odd.
            dropout_rate: Dropout after each block.
            conf: See ``FastSpeech2Variant``.

        Raises:
            ConfigError: An even kernel size.
        """
        if kernel_size % 2 == 0:
            raise ConfigError(f"tts_conf.kernel_size: {kernel_size} is not odd")

        def layers(number: int, units: int) -> list[nn.Module]:
            return [
                ConvNeXtLayer(adim, units, kernel_size, 1 / number, dropout_rate)
                for _ in range(number)
            ]

        super().__init__(
            idim, odim, adim, layers(elayers, eunits), layers(dlayers, dunits), **conf
        )
