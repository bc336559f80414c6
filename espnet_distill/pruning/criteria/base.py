"""The interface of a criterion; magnitude is the default."""

from collections.abc import Mapping

import torch
from torch import nn

from espnet_distill.structure.groups import Group
from espnet_distill.structure.statistics.hooks import REMEDY
from espnet_distill.structure.statistics.importance import unit_norms
from espnet_distill.utils.validation import require_finite

Parameters = Mapping[str, nn.Parameter]


Scores = dict[str, torch.Tensor]


BATCHES = 8  # before an update, on which Wanda and Taylor are measured


class Criterion:
    """Scores weights by magnitude, |W|, and units by the norm of their weights.

    Attributes:
        window: Number of steps before an update that the criterion observes; 0 for
            none, None for all from the schedule's start.
        waits: Whether masks are chosen only at the schedule's last update.
    """

    window: int | None = 0
    waits: bool = False

    def __init__(self, model: nn.Module, parameters: Parameters):
        """Store a model and the parameters to score."""
        self.model = model
        self.parameters = dict(parameters)

    def start(self) -> None:
        """Begin to observe, before a step."""

    def step(self) -> None:
        """Observe a step of the optimizer, before its gradients are cleared."""

    def stop(self) -> None:
        """Stop observing."""

    def scores(self) -> Scores:
        """Return scores by parameter, each of the parameter's shape."""
        return {name: p.detach().abs() for name, p in self.parameters.items()}

    def of_units(self, group: Group, scores: Scores) -> torch.Tensor:
        """Return a score for each unit of a group, (size,), from :meth:`scores`."""
        return unit_norms(group, scores)

    def fold(self) -> None:
        """Fold learned gates into the parameters, before units are pruned."""

    def statistics(self) -> dict[str, float]:
        """Return values for the log, with the same keys at every step."""
        return {}

    def reset(self) -> None:
        """Discard observations, after an update."""

    def state_dict(self) -> dict:
        """Return the observations: tensors and plain types."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Restore observations."""


def finite_scores(criterion: Criterion) -> Scores:
    """Return a criterion's scores, or raise a ConfigError if any is NaN or infinite."""
    scores = criterion.scores()
    require_finite(scores, "importance of the weights", REMEDY)
    return scores
