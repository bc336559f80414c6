"""Generator of Vocos: ConvNeXt blocks at the frame rate and an inverse STFT."""

import math

import torch
from torch.nn import functional
from vocos.heads import ISTFTHead
from vocos.models import VocosBackbone
from vocos.modules import ConvNeXtBlock

from espnet_distill.vocoders.generators.base import Generator
from espnet_distill.vocoders.generators.spectra import FrameMajorISTFT, require_even

MAX_MAGNITUDE = 100.0  # as in Vocos


class ISTFTGenerator(Generator, torch.nn.Module):
    """The generator of Vocos (https://arxiv.org/abs/2306.00814), from its package.

    All layers run once a frame; the inverse STFT upsamples.

    Args:
        in_channels: Number of mels.
        hop_length: Samples a frame.
        channels: Width of the residual stream.
        hidden_channels: Width inside each block.
        layers: Number of blocks.
        n_fft: Size of the inverse STFT, a multiple of the hop (None: four hops).
    """

    def __init__(
        self,
        in_channels: int,
        hop_length: int,
        channels: int = 160,
        hidden_channels: int = 480,
        layers: int = 6,
        n_fft: int | None = None,
    ):
        super().__init__()
        n_fft = n_fft or 4 * hop_length
        require_even(n_fft)
        self.in_channels, self.upsample_factor = in_channels, hop_length
        self.backbone = FrameMajorBackbone(
            in_channels, channels, hidden_channels, layers
        )
        self.head = FrameMajorISTFTHead(channels, n_fft, hop_length)

    def forward(self, c: torch.Tensor) -> torch.Tensor:
        """Turn mels (B, in_channels, T) into waveforms (B, 1, T * hop_length)."""
        return self.head(self.backbone(c)).unsqueeze(1)


class FrameMajorBackbone(VocosBackbone):
    """Vocos's backbone in the memory layout (B, T, dim).

    The output equals that of Vocos, without transposing between the blocks.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn mels (B, in_channels, T) into representations (B, T, dim)."""
        x = self.norm(self.embed(x).transpose(1, 2))
        for block in self.convnext:
            x = _apply_block(block, x)
        return self.final_layer_norm(x)


def _apply_block(block: ConvNeXtBlock, x: torch.Tensor) -> torch.Tensor:
    """Apply a block to (B, T, dim), its convolution as a conv2d, which is faster."""
    conv = block.dwconv
    image = x.transpose(1, 2).unsqueeze(2)  # (B, dim, 1, T), channels last
    y = functional.conv2d(
        image,
        conv.weight.unsqueeze(2),
        conv.bias,
        padding=(0, *conv.padding),
        groups=conv.groups,
    )
    y = block.norm(y.squeeze(2).transpose(1, 2))
    y = block.pwconv2(block.act(block.pwconv1(y)))
    return torch.addcmul(x, y, block.gamma)


class FrameMajorISTFTHead(ISTFTHead):
    """Vocos's head with "same" padding, in the memory layout (B, T, dim).

    The output equals that of Vocos, without transposing spectra.
    """

    def __init__(self, dim: int, n_fft: int, hop_length: int):
        super().__init__(dim, n_fft, hop_length, padding="same")
        self.istft = FrameMajorISTFT(n_fft, hop_length)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn representations (B, T, dim) into waveforms (B, T * hop_length)."""
        return self.istft(lambda at: self._spectra(x[:, at]), *x.shape[:2])

    def _spectra(self, x: torch.Tensor) -> torch.Tensor:
        magnitudes, phases = self.out(x).chunk(2, dim=-1)
        magnitudes = magnitudes.clamp(max=math.log(MAX_MAGNITUDE)).exp_()
        return torch.complex(magnitudes * phases.cos(), magnitudes * phases.sin())
