"""Inverse STFT and DFT in real arithmetic, as matrix products and additions."""

import math

import torch
from torch import nn
from torch.nn import functional


def even_odd(bins: int) -> torch.Tensor:
    """Return the order of `bins` bins with all even ones before the odd ones."""
    return torch.cat((torch.arange(0, bins, 2), torch.arange(1, bins, 2)))


def halves(bins: int) -> tuple[int, int]:
    """Return the numbers of even and of odd bins."""
    return (bins + 1) // 2, bins // 2


def dft_matrix(window: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Return the matrix (n_fft, 2 * bins) of a DFT of windowed frames.

    Args:
        window: The window (n_fft,).
        order: The bins (bins,); the real parts come first, then the imaginary parts.
    """
    angles = _angles(torch.arange(len(window)), order, len(window))
    columns = torch.cat((angles.cos(), -angles.sin()), 1)
    return (window.double()[:, None] * columns).float()


def inverse_matrix(window: torch.Tensor) -> torch.Tensor:
    """Return the matrix (2 * bins, n_fft) of a windowed inverse DFT.

    Its rows are the real parts of all bins, then the imaginary parts.
    """
    n_fft = len(window)
    bins = torch.arange(n_fft // 2 + 1)
    angles = _angles(bins, torch.arange(n_fft), n_fft)
    rows = torch.cat((angles.cos(), -angles.sin())) * _weights(n_fft).repeat(2)[:, None]
    return (rows * window.double()).float()


def _angles(rows: torch.Tensor, columns: torch.Tensor, n_fft: int) -> torch.Tensor:
    """Return 2π · row · column / n_fft in double precision, of reduced products."""
    products = rows[:, None] * columns[None] % n_fft
    return products.double() * (2 * math.pi / n_fft)


def _weights(n_fft: int) -> torch.Tensor:
    """Return the factors of the bins of a real inverse DFT (n_fft / 2 + 1,)."""
    weights = torch.full((n_fft // 2 + 1,), 2.0 / n_fft, dtype=torch.double)
    weights[0] = weights[-1] = 1 / n_fft
    return weights


class FoldedInverseDFT(nn.Module):
    """A real inverse DFT as four matrix products of a quarter of its size each way.

    Cosines are even and sines odd about n_fft / 2; those of even bins and of odd bins
    have opposite symmetries about n_fft / 4. So a quarter of the samples of each of
    the four sums determines the rest.

    Args:
        n_fft: Size of the transform, a multiple of 4.
    """

    def __init__(self, n_fft: int):
        super().__init__()
        self.quarter = n_fft // 4
        order = even_odd(n_fft // 2 + 1)
        angles = _angles(order, torch.arange(self.quarter + 1), n_fft)
        scales = _weights(n_fft)[order][:, None]
        even = self.quarter + 1
        for name, rows in (
            ("even_cos", (scales * angles.cos())[:even]),
            ("odd_cos", (scales * angles.cos())[even:]),
            ("even_sin", (scales * angles.sin())[:even]),
            ("odd_sin", (scales * angles.sin())[even:]),
        ):
            self.register_buffer(name, rows.float())

    def forward(
        self,
        even_real: torch.Tensor,
        odd_real: torch.Tensor,
        even_imaginary: torch.Tensor,
        odd_imaginary: torch.Tensor,
    ) -> torch.Tensor:
        """Turn even bins (B, T, n_fft / 4 + 1) and odd ones into (B, T, n_fft)."""
        even_cos, odd_cos = even_real @ self.even_cos, odd_real @ self.odd_cos
        even_sin, odd_sin = even_imaginary @ self.even_sin, odd_imaginary @ self.odd_sin
        cos, sin = even_cos + odd_cos, even_sin + odd_sin
        mirrored_cos, mirrored_sin = even_cos - odd_cos, odd_sin - even_sin
        forwards, backwards = slice(0, self.quarter), slice(1, self.quarter + 1)
        return torch.cat(
            (
                (cos - sin)[..., forwards],
                (mirrored_cos - mirrored_sin)[..., backwards].flip(-1),
                (mirrored_cos + mirrored_sin)[..., forwards],
                (cos + sin)[..., backwards].flip(-1),
            ),
            -1,
        )


class OverlapAdd(nn.Module):
    """The sum of overlapping frames, divided by the sum of their squared windows.

    Args:
        window: The window (n_fft,), with which the frames are already multiplied.
        hop_length: Samples a frame, a divisor of n_fft.
        edges: Samples to remove at the beginning and at the end.
    """

    def __init__(self, window: torch.Tensor, hop_length: int, edges: tuple[int, int]):
        super().__init__()
        self.hop_length, self.edges = hop_length, edges
        self.overlap = len(window) // hop_length
        power = window.double().square().view(self.overlap, hop_length).cumsum(0)
        self.register_buffer("power", functional.pad(power, (0, 0, 1, 0)).float())

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Turn frames (B, T, n_fft) into waveforms (B, T * hop_length …)."""
        more = self.overlap - 1
        added = sum(
            functional.pad(frame, (0, 0, shift, more - shift))
            for shift, frame in enumerate(frames.split(self.hop_length, dim=-1))
        )
        wave = (added / self._envelope(frames.size(1))).flatten(1)
        first, last = self.edges
        return wave[:, first : wave.size(1) - last]

    def _envelope(self, frames: int) -> torch.Tensor:
        """Return the sum of squared windows (frames + overlap - 1, hop_length)."""
        hop = torch.arange(frames + self.overlap - 1)
        begun = (hop + 1).clamp(max=self.overlap)
        ended = (hop - frames + 1).clamp(min=0)
        return self.power[begun] - self.power[ended]


class InverseSTFT(nn.Module):
    """FrameMajorISTFT (`vocoders.generators.spectra`) of even bins and odd ones.

    Args:
        istft: The trained generator's.

    Attributes:
        bins: Number of bins.
        sizes: Numbers of even and of odd bins.
    """

    def __init__(self, istft: nn.Module):
        super().__init__()
        self.bins = istft.n_fft // 2 + 1
        self.sizes = halves(self.bins)
        self.dft = FoldedInverseDFT(istft.n_fft)
        self.add = OverlapAdd(istft.window, istft.hop_length, istft.edges)
        self.register_buffer("window", istft.window.clone())

    def forward(
        self,
        even_real: torch.Tensor,
        even_imaginary: torch.Tensor,
        odd_real: torch.Tensor,
        odd_imaginary: torch.Tensor,
    ) -> torch.Tensor:
        """Turn spectra (B, T, even or odd bins) into waveforms (B, T * hop_length)."""
        frames = self.dft(even_real, odd_real, even_imaginary, odd_imaginary)
        return self.add(frames * self.window)
