"""Second moments of what a model's layers read."""

from collections.abc import Container, Iterable

import torch
from torch import nn

from espnet_distill.structure.listening import draw, evaluating, listening
from espnet_distill.structure.processes import summed


class SecondMoments:
    """Sums of x xᵀ of what a model's layers read, by name of the weight."""

    def __init__(self):
        """Begin with nothing heard."""
        self._sums: dict[str, torch.Tensor] = {}
        self._counts: dict[str, int] = {}

    def hear(self, name: str, x: torch.Tensor) -> None:
        """Add an input, (inputs, positions)."""
        x = x.float()
        self._sums[name] = self._sums.get(name, 0) + (x @ x.T).double()
        self._counts[name] = self._counts.get(name, 0) + x.size(1)

    def mean(self) -> dict[str, torch.Tensor]:
        """Return E[x xᵀ], weight → (inputs, inputs), of what all processes heard."""
        return {
            name: summed(total) / summed(total.new_tensor(self._counts[name]))
            for name, total in self._sums.items()
        }


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
    moments = SecondMoments()
    with listening(model, moments.hear, only), evaluating(model):
        draw(losses)
    return moments.mean()
