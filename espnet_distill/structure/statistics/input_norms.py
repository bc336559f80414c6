"""Mean squares of the inputs of a model's layers."""

from collections.abc import Mapping

import torch

from espnet_distill.structure.statistics.hooks import ACTIVATIONS, REMEDY
from espnet_distill.utils.distributed import summed
from espnet_distill.utils.validation import require_finite


class InputPowers:
    """Mean square of each input channel of a model's layers, by name of the weight."""

    def __init__(self, state: Mapping | None = None):
        """Start empty, or from a ``state_dict``."""
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
        """Return the mean square of each input channel of a weight, (channels,).

        Raises:
            ConfigError: An input had NaN or infinity.
        """
        mean = self._squares[name] / self._counts[name]
        require_finite({name: mean}, ACTIVATIONS, REMEDY)
        return mean

    def state_dict(self) -> dict:
        """Return sums and counts: tensors and plain types."""
        return {"squares": dict(self._squares), "counts": dict(self._counts)}

    def sum_over_processes(self) -> None:
        """Sum over processes, all of which observe the same layers."""
        for name, squares in self._squares.items():
            count = squares.new_tensor([self._counts[name]])
            total = summed(torch.cat([squares, count]))
            self._squares[name], self._counts[name] = total[:-1], float(total[-1])
