"""ConvNeXt blocks at the frame rate and one inverse STFT."""

import math

import torch
from torch.nn import functional
from vocos.heads import ISTFTHead
from vocos.models import VocosBackbone

MAX_MAGNITUDE = 100.0  # as Vocos bounds it


class ISTFTGenerator(torch.nn.Module):
    """The generator of Vocos (https://arxiv.org/abs/2306.00814), out of its package.

    Nothing in it is computed faster than once a frame but the inverse STFT.

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
        if n_fft % hop_length or n_fft == hop_length or (n_fft - hop_length) % 2:
            raise ValueError(
                f"n_fft {n_fft} has to be a multiple of hop_length {hop_length}, above "
                "it by an even number of samples"
            )
        self.upsample_factor = hop_length
        self.backbone = VocosBackbone(in_channels, channels, hidden_channels, layers)
        self.head = FrameMajorISTFTHead(channels, n_fft, hop_length)

    def forward(self, c: torch.Tensor) -> torch.Tensor:
        """Turn mels (B, in_channels, T) into waveforms (B, 1, T * hop_length)."""
        return self.head(self.backbone(c)).unsqueeze(1)


class FrameMajorISTFTHead(ISTFTHead):
    """Vocos's head with "same" padding, computed frame by frame in memory.

    It gives what Vocos's gives. Spectra are never transposed, and frames that overlap
    by whole hops are added as slices.
    """

    def __init__(self, dim: int, n_fft: int, hop_length: int):
        super().__init__(dim, n_fft, hop_length, padding="same")
        self.hop_length = hop_length
        self.overlap = n_fft // hop_length

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn representations (B, T, dim) into waveforms (B, T * hop_length)."""
        magnitudes, phases = self.out(x).chunk(2, dim=-1)
        magnitudes = magnitudes.clamp(max=math.log(MAX_MAGNITUDE)).exp()
        window = self.istft.window
        frames = torch.fft.irfft(torch.polar(magnitudes, phases)) * window
        added = self._overlap_add(frames)
        envelope = self._overlap_add(window.square().expand(1, x.size(1), -1))
        edge = (len(window) - self.hop_length) // 2
        return added[:, edge:-edge] / envelope[:, edge:-edge]

    def _overlap_add(self, frames: torch.Tensor) -> torch.Tensor:
        """Add frames (B, T, n_fft), a hop apart, to (B, (T + overlap - 1) * hop)."""
        hops = frames.unflatten(-1, (self.overlap, self.hop_length))
        last = self.overlap - 1
        added = sum(
            functional.pad(hops[:, :, k], (0, 0, k, last - k)) for k in range(last + 1)
        )
        return added.flatten(1)
