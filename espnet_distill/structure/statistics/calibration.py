"""Calibration data of a model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Calibration:
    """Batches on which activations and gradients of a model are measured.

    Attributes:
        batches: The batches.
        loss: Runs the model on a batch and returns its loss, a scalar.
    """

    batches: Sequence[Any]
    loss: Callable[[Any], torch.Tensor]

    def run(self) -> None:
        """Run the model on all batches, without gradients."""
        with torch.no_grad():
            for batch in self.batches:
                self.loss(batch)
