"""Positional encodings of sliced residual streams."""

import torch
from espnet2.legacy.nets.pytorch_backend.transformer.embedding import PositionalEncoding

from espnet_distill.structure.residual import nearest_frequencies


def table(width):
    return PositionalEncoding(width, 0.0).pe[0, :50]


def test_half_of_an_encoding_is_that_of_half_the_width():
    kept = nearest_frequencies(32, 16)
    torch.testing.assert_close(table(32)[:, kept], table(16))


def test_channels_are_unique_and_ordered():
    kept = nearest_frequencies(34, 24)
    assert len(kept) == 24 and (kept.diff() > 0).all() and kept.max() < 34
    plain = (table(34)[:, :24] - table(24)).abs().mean()
    assert (table(34)[:, kept] - table(24)).abs().mean() < plain / 2
