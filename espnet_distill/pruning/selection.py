"""Choose what has the least scores."""

import torch


def least(scores: torch.Tensor, number: int) -> torch.Tensor:
    """Mark exactly ``number`` of the least scores, of equal ones the first.

    Args:
        scores: Of any shape.
        number: From 0 to as many as there are.

    Returns:
        True where a score is among them, of the same shape.
    """
    flat = scores.flatten()
    if number <= 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    border = flat.kthvalue(number).values
    chosen = flat < border
    equal = (flat == border).nonzero().flatten()
    chosen[equal[: number - int(chosen.sum())]] = True
    return chosen.view_as(scores)
