"""STFT and inverse STFT in the memory layout (B, T, bins)."""

from collections.abc import Callable

import torch
from torch.nn import functional

BLOCK = 64  # frames; their spectra fit into a CPU cache


def require_even(n_fft: int) -> None:
    """Raise a ValueError for a size whose spectra do not determine it."""
    if n_fft % 2:
        raise ValueError(f"n_fft {n_fft} has to be even")


class FrameMajorISTFT(torch.nn.Module):
    """An inverse STFT with Hann windows and "same" padding (as Vocos's), and its STFT.

    A waveform has as many frames as hops. Frames overlap by whole hops and are added as
    slices.

    Args:
        n_fft: Size of the transform, a multiple of the hop.
        hop_length: Samples a frame.

    Raises:
        ValueError: `n_fft` is no multiple of the hop, or equal to it.
    """

    def __init__(self, n_fft: int, hop_length: int):
        super().__init__()
        if n_fft % hop_length or n_fft == hop_length:
            raise ValueError(
                f"n_fft {n_fft} has to be a multiple of hop_length {hop_length}, above it"
            )
        self.n_fft, self.hop_length = n_fft, hop_length
        self.overlap = n_fft // hop_length
        padding = n_fft - hop_length
        self.edges = padding // 2, padding - padding // 2
        self.register_buffer("window", torch.hann_window(n_fft))

    def forward(
        self, spectra: Callable[[slice], torch.Tensor], batch: int, frames: int
    ) -> torch.Tensor:
        """Compute waveforms, one block of spectra at a time.

        Args:
            spectra: Returns those of a slice of frames, (B, frames, n_fft / 2 + 1).
            batch: B.
            frames: Number of frames, T.

        Returns:
            Waveforms (B, T * hop_length).
        """
        hops = frames + self.overlap - 1
        added = self.window.new_zeros(batch, hops, self.hop_length)
        envelope = self.window.new_zeros(hops, self.hop_length)
        power = self.window.square().view(self.overlap, self.hop_length)
        for k in range(self.overlap):
            envelope[k : k + frames] += power[k]
        for start in range(0, frames, BLOCK):
            at = slice(start, min(start + BLOCK, frames))
            pieces = torch.fft.irfft(spectra(at)).mul_(self.window)
            pieces = pieces.unflatten(-1, (self.overlap, self.hop_length))
            for k in range(self.overlap):
                added[:, at.start + k : at.stop + k] += pieces[:, :, k]
        inside = slice(self.edges[0], -self.edges[1])
        return added.flatten(1)[:, inside] / envelope.flatten()[inside]

    def framed(self, wave: torch.Tensor) -> torch.Tensor:
        """Cut waveforms (B, T * hop_length) into frames (B, T, n_fft), a view."""
        padded = functional.pad(wave, self.edges)
        return padded.unfold(-1, self.n_fft, self.hop_length)

    def spectra(self, frames: torch.Tensor) -> torch.Tensor:
        """Turn frames (B, T, n_fft) into spectra (B, T, n_fft / 2 + 1)."""
        return torch.fft.rfft(frames * self.window)
