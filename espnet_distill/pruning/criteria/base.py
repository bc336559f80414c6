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


BATCHES = 8  # that Wanda and Taylor look at before an update


class Criterion:
    """Scores by magnitude: |W|; a unit by the norm of what it has.

    Attributes:
        window: Steps before an update in which it looks at the training; 0 for none,
            None for all from the schedule's start.
        waits: Whether only the schedule's last update is to choose.
    """

    window: int | None = 0
    waits: bool = False

    def __init__(self, model: nn.Module, parameters: Parameters):
        """Take a model and those of its parameters that are to be scored."""
        self.model = model
        self.parameters = dict(parameters)

    def start(self) -> None:
        """Begin to look, before a step."""

    def step(self) -> None:
        """Look at a step that has been taken, while the gradients are still there."""

    def stop(self) -> None:
        """Look no more."""

    def scores(self) -> Scores:
        """Return a score for each number of each parameter."""
        return {name: p.detach().abs() for name, p in self.parameters.items()}

    def of_units(self, group: Group, scores: Scores) -> torch.Tensor:
        """Return a score for each unit of a group, (size,), from :meth:`scores`."""
        return unit_norms(group, scores)

    def fold(self) -> None:
        """Give the parameters what was learnt beside them, before what goes is gone."""

    def statistics(self) -> dict[str, float]:
        """Return what the log is to show of it, with the same keys at all times."""
        return {}

    def reset(self) -> None:
        """Forget what was seen before an update."""

    def state_dict(self) -> dict:
        """Return what was seen: tensors and plain types."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Go on from what was seen."""


def finite_scores(criterion: Criterion) -> Scores:
    """Return a criterion's scores, or raise a ConfigError if any is NaN or infinite."""
    scores = criterion.scores()
    require_finite(scores, "importance of the weights", REMEDY)
    return scores
