"""A weight as the product of two thin ones, truest to what the weight is applied to.

The singular values are those of the weight behind the Cholesky factor of its input's
second moments, so that what is cut off is what the output loses (SVD-LLM, Wang et al.,
arXiv:2403.07378).
"""

from dataclasses import dataclass

import torch

RIDGE = 1e-6  # of the mean power of an input


@dataclass(frozen=True)
class Factors:
    """Two weights in a row that stand for one.

    Attributes:
        first: (rank, inputs), or (rank, inputs, 1) of a convolution.
        second: (outputs, rank), or (outputs, rank, taps); the bias stays with it.
        error: Root of E|ΔW x|² / E|W x|², over the taps one by one.
        plain_error: The same of the truncation that knows nothing of x.
    """

    first: torch.Tensor
    second: torch.Tensor
    error: float
    plain_error: float

    @property
    def parameters(self) -> int:
        """Count the numbers in both."""
        return self.first.numel() + self.second.numel()

    def bake(self) -> torch.Tensor:
        """Return the one weight of this rank."""
        first = self.first.flatten(1)
        return torch.einsum("or...,ri->oi...", self.second, first)


def losses_by_rank(
    weight: torch.Tensor, moments: torch.Tensor | None = None
) -> torch.Tensor:
    """Return E|ΔW x|² / E|W x|² of the truncations to rank 0, 1, … and the full one.

    Args:
        weight: As :func:`factorise` takes it.
        moments: As :func:`factorise` takes them.
    """
    _, _, values, _, _ = _decomposed(_rows(weight), moments)
    lost = values.square().flip(0).cumsum(0).flip(0)
    return torch.cat([lost, lost.new_zeros(1)]) / lost[0].clamp(min=1e-30)


def factorise(
    weight: torch.Tensor,
    moments: torch.Tensor | None = None,
    *,
    rank: int | None = None,
    error: float | None = None,
) -> Factors:
    """Factorise a weight, to a rank or to an error.

    Args:
        weight: Of a linear layer, (outputs, inputs), or of an ungrouped convolution,
            (outputs, inputs, taps): it becomes a pointwise one and one over the taps.
        moments: E[x xᵀ] of its input, (inputs, inputs), as ``second_moments`` gives
            them; None for white input.
        rank: How many channels lie between the two.
        error: The greatest error, of which the least rank is taken.

    Raises:
        ValueError: Not one of rank and error, or one that cannot be.
    """
    if (rank is None) == (error is None):
        raise ValueError("factorise: say one of rank and error")
    rows = _rows(weight)
    root, left, values, right, moments = _decomposed(rows, moments)
    if error is not None:
        rank = _least_rank(values, error)
    if not 1 <= rank <= len(values):
        raise ValueError(f"factorise: rank {rank} is not from 1 to {len(values)}")
    scales = values[:rank].sqrt()
    first = torch.linalg.solve_triangular(
        root, scales[:, None] * right[:rank], upper=False, left=False
    )
    second = left[:, :rank] * scales
    plain = _truncated(rows, rank)
    return Factors(
        first.view(rank, -1, *(1,) * (weight.dim() - 2)).to(weight),
        second.view(-1, *weight.shape[2:], rank).movedim(-1, 1).to(weight),
        _error(rows, second @ first, moments),
        _error(rows, plain, moments),
    )


def _rows(weight: torch.Tensor) -> torch.Tensor:
    """Return a weight as a matrix, (outputs · taps, inputs), in double precision."""
    return weight.detach().movedim(1, -1).flatten(0, -2).double()


def _decomposed(rows: torch.Tensor, moments: torch.Tensor | None) -> tuple:
    """The root of the moments, the singular vectors and values behind it, moments."""
    if moments is None:
        moments = torch.eye(rows.size(1))
    moments = moments.to(rows)
    root = _root(moments)
    left, values, right = torch.linalg.svd(rows @ root, full_matrices=False)
    return root, left, values, right, moments


def _root(moments: torch.Tensor) -> torch.Tensor:
    """Cholesky factor, lower, with a ridge for inputs that depend on one another."""
    ridge = (RIDGE * moments.diagonal().mean()).clamp(min=1e-30)
    return torch.linalg.cholesky(moments + ridge * torch.eye(len(moments)).to(moments))


def _least_rank(values: torch.Tensor, error: float) -> int:
    if not 0 <= error < 1:
        raise ValueError(f"factorise: error {error} is not from 0 to below 1")
    powers = values.square()
    lost = powers.flip(0).cumsum(0).flip(0)  # with ranks 0, 1, …
    return max(1, int((lost > error**2 * lost[0]).sum()))


def _truncated(rows: torch.Tensor, rank: int) -> torch.Tensor:
    left, values, right = torch.linalg.svd(rows, full_matrices=False)
    return left[:, :rank] * values[:rank] @ right[:rank]


def _error(rows: torch.Tensor, found: torch.Tensor, moments: torch.Tensor) -> float:
    lost, whole = ((w @ moments * w).sum() for w in (rows - found, rows))
    return (lost / whole).clamp(min=0).sqrt().item()
