"""Second moments of what a model's layers read."""

from collections.abc import Container, Iterable

import torch
from torch import nn

from espnet_distill.structure.listening import draw, evaluating, listening


def second_moments(
    model: nn.Module, losses: Iterable, only: Container[str] | None = None
) -> dict[str, torch.Tensor]:
    """Return E[x xᵀ] of a model's inputs, weight that reads them → (inputs, inputs).

    The mean is over all positions of all batches, padded ones too, in double precision.

    Args:
        model: The model; it does not train meanwhile.
        losses: Whatever makes it run on batch after batch as it is drawn.
        only: Names of the weights; None for all. What is transposed, grouped or an
            embedding is not heard.
    """
    sums: dict[str, torch.Tensor] = {}
    counts: dict[str, int] = {}

    def hear(name: str, x: torch.Tensor) -> None:
        x = x.float()
        sums[name] = sums.get(name, 0) + (x @ x.T).double()
        counts[name] = counts.get(name, 0) + x.size(1)

    with listening(model, hear, only), evaluating(model):
        draw(losses)
    return {name: total / counts[name] for name, total in sums.items()}
