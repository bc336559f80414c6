"""How strong the inputs of a model's layers are."""

from collections.abc import Mapping

import torch

from espnet_distill.structure.statistics.hooks import ACTIVATIONS, REMEDY
from espnet_distill.utils.distributed import summed
from espnet_distill.utils.validation import require_finite


class InputPowers:
    """Mean squares of what the layers of a model were given, by name of the weight."""

    def __init__(self, state: Mapping | None = None):
        """Begin anew, or go on from a ``state_dict``."""
        state = state or {"squares": {}, "counts": {}}
        self._squares: dict[str, torch.Tensor] = dict(state["squares"])
        self._counts: dict[str, int] = dict(state["counts"])

    def observe(self, name: str, x: torch.Tensor) -> None:
        """Add an input, (channels, N)."""
        squares = torch.linalg.vector_norm(x.float(), dim=1).square()
        self._squares[name] = self._squares.get(name, 0) + squares
        self._counts[name] = self._counts.get(name, 0) + x.size(1)

    def __contains__(self, name: str) -> bool:
        return name in self._squares

    def __getitem__(self, name: str) -> torch.Tensor:
        """Return the mean square of each channel that a weight reads, (channels,).

        Raises:
            ConfigError: What was observed holds NaN or infinity.
        """
        mean = self._squares[name] / self._counts[name]
        require_finite({name: mean}, ACTIVATIONS, REMEDY)
        return mean

    def state_dict(self) -> dict:
        """Return what was heard: tensors and plain types."""
        return {"squares": dict(self._squares), "counts": dict(self._counts)}

    def sum_over_processes(self) -> None:
        """Count what every process heard; all of them listen to the same layers."""
        for name, squares in self._squares.items():
            count = squares.new_tensor([self._counts[name]])
            both = summed(torch.cat([squares, count]))
            self._squares[name], self._counts[name] = both[:-1], float(both[-1])
