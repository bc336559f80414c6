"""Spectra frame by frame in memory, and waveforms of them."""

import torch
from torch.nn import functional


class FrameMajorISTFT(torch.nn.Module):
    """An inverse STFT with Hann windows and "same" padding (as Vocos's), and its STFT.

    A waveform has as many frames as hops. Frames overlap by whole hops, and are added as
    slices.

    Args:
        n_fft: Its size, a multiple of the hop.
        hop_length: Samples a frame.

    Raises:
        ValueError: Frames that do not overlap by whole hops, or not evenly.
    """

    def __init__(self, n_fft: int, hop_length: int):
        super().__init__()
        if n_fft % hop_length or n_fft == hop_length or (n_fft - hop_length) % 2:
            raise ValueError(
                f"n_fft {n_fft} has to be a multiple of hop_length {hop_length}, above "
                "it by an even number of samples"
            )
        self.n_fft, self.hop_length = n_fft, hop_length
        self.overlap = n_fft // hop_length
        self.edge = (n_fft - hop_length) // 2
        self.register_buffer("window", torch.hann_window(n_fft))

    def forward(self, spectra: torch.Tensor) -> torch.Tensor:
        """Turn spectra (B, T, n_fft / 2 + 1) into waveforms (B, T * hop_length)."""
        added = self._overlap_add(torch.fft.irfft(spectra).mul_(self.window))
        envelope = self._overlap_add(self.window.square().expand(1, spectra.size(1), -1))
        inside = slice(self.edge, -self.edge)
        return added[:, inside] / envelope[:, inside]

    def frames(self, wave: torch.Tensor) -> torch.Tensor:
        """Turn waveforms (B, T * hop_length) into spectra (B, T, n_fft / 2 + 1)."""
        around = functional.pad(wave, (self.edge, self.edge))
        pieces = around.unfold(-1, self.n_fft, self.hop_length)
        return torch.fft.rfft(pieces * self.window)

    def _overlap_add(self, frames: torch.Tensor) -> torch.Tensor:
        """Add frames (B, T, n_fft), a hop apart, to (B, (T + overlap - 1) * hop)."""
        batch, steps, _ = frames.shape
        hops = frames.unflatten(-1, (self.overlap, self.hop_length))
        added = frames.new_zeros(batch, steps + self.overlap - 1, self.hop_length)
        for k in range(self.overlap):
            added[:, k : k + steps] += hops[:, :, k]
        return added.flatten(1)
