"""Channels that a sinusoidal table of positions writes to."""

import torch


def nearest_frequencies(size: int, kept: int) -> torch.Tensor:
    """Choose ``kept`` of ``size`` channels whose sinusoids fit a table of that width.

    A table of width d holds sine and cosine of frequency 10000^(-2i / d) in channels
    2i and 2i + 1 (Vaswani et al., NeurIPS 2017): pair i of the narrow table goes with
    the pair at the same share of the way. Both widths are even.
    """
    pairs = torch.arange(kept // 2) * size // kept
    return torch.stack([2 * pairs, 2 * pairs + 1], dim=1).flatten()
