"""ConvNeXt blocks at the frame rate and one inverse STFT."""

import torch
from vocos.heads import ISTFTHead
from vocos.models import VocosBackbone


class ISTFTGenerator(torch.nn.Module):
    """The generator of Vocos (https://arxiv.org/abs/2306.00814), out of its package.

    Nothing in it is computed faster than once a frame but the inverse STFT.

    Args:
        in_channels: Number of mels.
        hop_length: Samples a frame.
        channels: Width of the residual stream.
        hidden_channels: Width inside each block.
        layers: Number of blocks.
        n_fft: Size of the inverse STFT, in samples (None: four times the hop).
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
        if (n_fft - hop_length) % 2 or n_fft <= hop_length:
            raise ValueError(
                f"n_fft {n_fft} has to be above hop_length {hop_length} by an even "
                "number of samples"
            )
        self.upsample_factor = hop_length
        self.backbone = VocosBackbone(in_channels, channels, hidden_channels, layers)
        self.head = ISTFTHead(channels, n_fft, hop_length, padding="same")

    def forward(self, c: torch.Tensor) -> torch.Tensor:
        """Turn mels (B, in_channels, T) into waveforms (B, 1, T * hop_length)."""
        return self.head(self.backbone(c)).unsqueeze(1)
