"""Inverse STFT and DFT in real arithmetic, as matrix products and additions."""

import math

import torch
from torch import nn
from torch.nn import functional

MIN_ENVELOPE = 1e-3  # in hops that are cut; the scale is then finite in half precision


def folded_order(n_fft: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the even bins and the odd ones of a DFT, in the order of InverseSTFT.

    Of each kind, those below n_fft / 4 come first, then n_fft / 4 itself, then for each
    of the first its mirror image about n_fft / 4.
    """
    quarter = n_fft // 4
    orders = []
    for parity in range(2):
        low = torch.arange(parity, quarter, 2)
        middle = torch.arange(quarter, quarter + (quarter % 2 == parity))
        orders.append(torch.cat((low, middle, n_fft // 2 - low)))
    return tuple(orders)


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


class OverlapAdd(nn.Module):
    """The sum of overlapping frames, divided by the sum of their squared windows.

    Args:
        window: The window (n_fft,), with which the frames are already multiplied.
        hop_length: Samples a frame, a divisor of n_fft.
        edges: Samples to remove at the beginning and at the end.

    Raises:
        ValueError: hop_length does not divide n_fft.
    """

    def __init__(self, window: torch.Tensor, hop_length: int, edges: tuple[int, int]):
        super().__init__()
        if len(window) % hop_length:
            raise ValueError(
                f"n_fft {len(window)} is no multiple of the hop ({hop_length})"
            )
        self.hop_length, self.edges = hop_length, edges
        self.overlap = len(window) // hop_length
        power = window.double().square().view(self.overlap, hop_length).cumsum(0)
        power = functional.pad(power, (0, 0, 1, 0))
        # By the number of frames that have begun, and that have ended
        envelope = (power[:, None] - power).clamp(min=MIN_ENVELOPE)
        self.register_buffer("scale", (1 / envelope).flatten(0, 1).float())

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Turn frames (B, T, n_fft) into waveforms (B, T * hop_length …)."""
        more = self.overlap - 1
        added = sum(
            functional.pad(frame, (0, 0, shift, more - shift))
            for shift, frame in enumerate(frames.split(self.hop_length, dim=-1))
        )
        return self.finish(added, frames.size(1))

    def finish(self, added: torch.Tensor, frames: int) -> torch.Tensor:
        """Normalize the sum of frames (B, hops, hop_length), and cut its edges."""
        wave = (added * self._scale(frames)).flatten(1)
        first, last = self.edges
        return wave[:, first : wave.size(1) - last]

    def _scale(self, frames: int) -> torch.Tensor:
        """Return 1 / the sum of squared windows (frames + overlap - 1, hop_length)."""
        hop = torch.arange(frames + self.overlap - 1)
        begun = (hop + 1).clamp(max=self.overlap)
        ended = (hop - frames + 1).clamp(min=0)
        return self.scale[begun * (self.overlap + 1) + ended]


class InverseSTFT(nn.Module):
    """FrameMajorISTFT (`vocoders.generators.spectra`), folded three times.

    About n_fft / 2, cosines are even and sines odd. About n_fft / 4, those of even bins
    and of odd ones have opposite symmetries. So the samples m up to n_fft / 4 of four
    sums determine the samples m after the beginning and after the middle, and those m
    before the middle and before the end. A bin and its mirror image about n_fft / 4
    have equal values at even m, and opposite ones at odd m (sines the reverse), so that
    eight matrix products of an eighth of the size each way give those sums.

    Args:
        istft: The trained generator's, whose n_fft is four hops.

    Attributes:
        orders: The even bins and the odd ones, in the order of the input.
        sizes: Their numbers.

    Raises:
        ValueError: n_fft is not four hops, or a hop is odd.
    """

    def __init__(self, istft: nn.Module):
        super().__init__()
        n_fft, self.hop = istft.n_fft, istft.hop_length
        if n_fft != 4 * self.hop or self.hop % 2:
            raise ValueError(
                f"n_fft {n_fft} is not four times an even hop ({self.hop})"
            )
        self.orders = folded_order(n_fft)
        self.sizes = tuple(map(len, self.orders))
        self.overlap = OverlapAdd(istft.window, self.hop, istft.edges)
        weights = _weights(n_fft)
        for parity, order in enumerate(self.orders):
            for first in range(2):
                angles = _angles(order, torch.arange(first, self.hop + 1, 2), n_fft)
                for name, rows in (("cos", angles.cos()), ("sin", angles.sin())):
                    rows = (weights[order][:, None] * rows).float()
                    kept = rows[: self._rows(parity, (name == "sin") == bool(first))]
                    self.register_buffer(f"{name}_{parity}{first}", kept.clone())
        samples = torch.arange(self.hop + 1)
        places = (samples, 2 * self.hop - samples, 2 * self.hop + samples, -samples)
        for index, place in enumerate(places):
            values = istft.window[place % n_fft].clone()
            # A hop after is the next quarter's, and so is the sample itself before
            values[0 if index % 2 else self.hop] = 0
            for first in range(2):
                window = values[first::2].clone()
                self.register_buffer(f"window_{index}{first}", window)

    def forward(
        self,
        even_real: torch.Tensor,
        even_imaginary: torch.Tensor,
        odd_real: torch.Tensor,
        odd_imaginary: torch.Tensor,
    ) -> torch.Tensor:
        """Turn spectra (1, T, even or odd bins) into waveforms (1, T * hop_length)."""
        reals, imaginaries = (even_real, odd_real), (even_imaginary, odd_imaginary)
        cosines = [self._fold(part, parity) for parity, part in enumerate(reals)]
        sines = [self._fold(part, parity) for parity, part in enumerate(imaginaries)]
        halves = []
        for first in range(2):
            even_cos, odd_cos = (
                folded[first] @ getattr(self, f"cos_{parity}{first}")
                for parity, folded in enumerate(cosines)
            )
            even_sin, odd_sin = (
                folded[1 - first] @ getattr(self, f"sin_{parity}{first}")
                for parity, folded in enumerate(sines)
            )
            even_after, even_before = even_cos - even_sin, even_cos + even_sin
            odd_after, odd_before = odd_cos - odd_sin, odd_cos + odd_sin
            quarters = (
                even_after + odd_after,
                even_before - odd_before,
                even_after - odd_after,
                even_before + odd_before,
            )
            halves.append(self._add(quarters, first))
        added = torch.cat(halves, -1).view(-1, 2, self.hop // 2)
        added = added.transpose(1, 2).reshape(1, -1, self.hop)
        return self.overlap.finish(added, even_real.size(1))

    def _rows(self, parity: int, is_sum: bool) -> int:
        """Return the number of bins after folding, with n_fft / 4 in sums only."""
        low = self.sizes[parity] // 2
        return low + (self.sizes[parity] % 2) * is_sum

    def _fold(self, bins: torch.Tensor, parity: int) -> tuple[torch.Tensor, ...]:
        """Return sums and differences of bins and their mirror images."""
        low, middle = self.sizes[parity] // 2, self.sizes[parity] % 2
        bins, between, mirrored = bins.split((low, middle, low), -1)
        total = bins + mirrored
        return (
            torch.cat((total, between), -1) if middle else total,
            bins - mirrored,
        )

    def _add(self, quarters: tuple[torch.Tensor, ...], first: int) -> torch.Tensor:
        """Add quarters of frames at every second sample to hops (1, T + 3, hop / 2)."""
        shifted = [
            functional.pad(
                quarter * getattr(self, f"window_{shift}{first}"),
                (0, 0, shift, 3 - shift),
            )
            for shift, quarter in enumerate(quarters)
        ]
        after, before = shifted[0] + shifted[2], shifted[1] + shifted[3]
        half = self.hop // 2
        return after[..., :half] + before.flip(-1)[..., :half]
