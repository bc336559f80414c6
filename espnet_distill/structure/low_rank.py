"""Low-rank factorization of a weight by data-aware SVD.

The SVD is of the weight times the Cholesky factor of its input's second moments, so
that the discarded singular values measure the output error (SVD-LLM, Wang et al.,
arXiv:2403.07378).
"""

from dataclasses import dataclass

import torch

RIDGE = 1e-6  # relative to the mean power of an input


Pair = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Factors:
    """Two consecutive weights whose product approximates one.

    Attributes:
        first: (rank, inputs), or (rank, inputs, 1) for a convolution.
        second: (outputs, rank), or (outputs, rank, taps); the bias stays with it.
        error: Square root of E|ΔW x|² / E|W x|², summed over single taps.
        plain_error: The same error of the SVD truncation without data.
    """

    first: torch.Tensor
    second: torch.Tensor
    error: float
    plain_error: float

    @classmethod
    def of(
        cls, pair: Pair, weight: torch.Tensor, moments: torch.Tensor | None = None
    ) -> "Factors":
        """Compute the errors of two weights against the one that they replace.

        Args:
            pair: The two weights.
            weight: The original weight.
            moments: See :class:`Decomposition`.
        """
        rows = _rows(weight.detach())
        error = plain_error = _error(rows - _rows(_product(*pair)), rows, moments)
        if moments is not None:
            plain_error = _error(rows - _truncated(rows, len(pair[0])), rows, moments)
        return cls(*pair, error, plain_error)

    @property
    def parameters(self) -> int:
        """Count the elements of both weights."""
        return self.first.numel() + self.second.numel()

    def bake(self) -> torch.Tensor:
        """Return the product as a single weight."""
        return _product(self.first, self.second)


class Decomposition:
    """SVD of a weight, and its factors of any rank."""

    def __init__(self, weight: torch.Tensor, moments: torch.Tensor | None = None):
        """Decompose a weight.

        Args:
            weight: Weight of a linear layer, (outputs, inputs), or of an ungrouped
                convolution, (outputs, inputs, taps), which is factorized into a
                pointwise convolution and one over the taps.
            moments: E[x xᵀ] of its input, (inputs, inputs), see ``second_moments``;
                None for white input.
        """
        self._weight = weight.detach()
        rows = _rows(self._weight)
        if moments is None:
            moments = torch.eye(rows.size(1))
        self._root = _root(moments.to(rows))
        self._left, self._values, self._right = torch.linalg.svd(
            rows @ self._root, full_matrices=False
        )

    @property
    def lost(self) -> torch.Tensor:
        """Return E|ΔW x|² / E|W x|² of the truncations to rank 0, 1, … full."""
        lost = self._values.square().flip(0).cumsum(0).flip(0)
        return torch.cat([lost, lost.new_zeros(1)]) / lost[0].clamp(min=1e-30)

    def least_rank(self, error: float) -> int:
        """Return the lowest rank whose error is at most ``error``, in [0, 1).

        Raises:
            ValueError: ``error`` is out of range.
        """
        if not 0 <= error < 1:
            raise ValueError(f"factorize: error {error} is not from 0 to below 1")
        return max(1, int((self.lost[:-1] > error**2).sum()))

    def pair(self, rank: int) -> Pair:
        """Return the two weights of a rank, with channels in order of singular value.

        Raises:
            ValueError: ``rank`` is out of range.
        """
        if not 1 <= rank <= len(self._values):
            raise ValueError(
                f"factorize: rank {rank} is not from 1 to {len(self._values)}"
            )
        scales = self._values[:rank].sqrt()
        first = torch.linalg.solve_triangular(
            self._root, scales[:, None] * self._right[:rank], upper=False, left=False
        )
        second = self._left[:, :rank] * scales
        taps = self._weight.shape[2:]
        return (
            first.view(rank, -1, *(1,) * len(taps)).to(self._weight),
            second.view(-1, *taps, rank).movedim(-1, 1).to(self._weight),
        )


def factorize(
    weight: torch.Tensor,
    moments: torch.Tensor | None = None,
    *,
    rank: int | None = None,
    error: float | None = None,
) -> Factors:
    """Factorize a weight to a rank or to an error.

    Args:
        weight: See :class:`Decomposition`.
        moments: See :class:`Decomposition`.
        rank: Number of channels between the two weights.
        error: Greatest error; the lowest rank that meets it is taken.

    Raises:
        ValueError: Not exactly one of rank and error, or one out of range.
    """
    if (rank is None) == (error is None):
        raise ValueError("factorize: give either rank or error")
    svd = Decomposition(weight, moments)
    factors = svd.pair(svd.least_rank(error) if rank is None else rank)
    return Factors.of(factors, weight, moments)


def _product(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return torch.einsum("or...,ri->oi...", second, first.flatten(1))


def _error(lost: torch.Tensor, rows: torch.Tensor, moments) -> float:
    lost, whole = (
        (w.square() if moments is None else w @ moments.to(w) * w).sum()
        for w in (lost, rows)
    )
    return (lost / whole).clamp(min=0).sqrt().item()


def _rows(weight: torch.Tensor) -> torch.Tensor:
    """Return a weight as a matrix (outputs · taps, inputs) in double precision."""
    return weight.movedim(1, -1).flatten(0, -2).double()


def _root(moments: torch.Tensor) -> torch.Tensor:
    """Return the lower Cholesky factor, with a ridge for linearly dependent inputs."""
    ridge = (RIDGE * moments.diagonal().mean()).clamp(min=1e-30)
    return torch.linalg.cholesky(moments + ridge * torch.eye(len(moments)).to(moments))


def _truncated(rows: torch.Tensor, rank: int) -> torch.Tensor:
    left, values, right = torch.linalg.svd(rows, full_matrices=False)
    return left[:, :rank] * values[:rank] @ right[:rank]
