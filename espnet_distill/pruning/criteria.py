"""Which weights matter: parameters → scores like them, and a score a unit.

What matters least has the least score, and goes first.
"""

import contextlib
from collections.abc import Mapping

import torch
from torch import nn

from espnet_distill.structure.coupling import Group
from espnet_distill.structure.importance import activation, unit_norms, weighed
from espnet_distill.structure.listening import REMEDY, listening
from espnet_distill.structure.powers import InputPowers
from espnet_distill.utils.validation import require_finite

Parameters = Mapping[str, nn.Parameter]
Scores = dict[str, torch.Tensor]
BATCHES = 8  # that Wanda and Taylor look at before an update


class Criterion:
    """Scores by magnitude: |W|; a unit by the norm of what it has.

    Attributes:
        looks: Steps before an update in which it looks at the training; 0 for none,
            None for all from the schedule's start.
        waits: Whether only the schedule's last update is to choose.
    """

    looks: int | None = 0
    waits: bool = False

    def __init__(self, model: nn.Module, parameters: Parameters):
        """Take a model and those of its parameters that are to be scored."""
        self.model = model
        self.parameters = dict(parameters)

    def start(self) -> None:
        """Begin to look, before a step."""

    def look(self) -> None:
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

    def begin_anew(self) -> None:
        """Forget what was seen before an update."""

    def state_dict(self) -> dict:
        """Return what was seen: tensors and plain types."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Go on from what was seen."""


class Wanda(Criterion):
    """|W| · ‖x‖, ‖x‖ being the norm of what a weight reads (arXiv:2306.11695).

    It hears the last few batches before an update; a weight whose input it does not
    hear, such as an embedding's, counts by magnitude.
    """

    looks = BATCHES

    def __init__(self, model: nn.Module, parameters: Parameters):
        super().__init__(model, parameters)
        self._powers = InputPowers()
        self._ears = contextlib.ExitStack()

    def start(self) -> None:
        ears = listening(self.model, self._hear, only=self.parameters)
        self._ears.enter_context(ears)

    def _hear(self, name: str, x: torch.Tensor) -> None:
        if self.model.training:
            self._powers.hear(name, x)

    def stop(self) -> None:
        self._ears.close()

    def scores(self) -> Scores:
        self._powers.sum_over_processes()
        plain = super().scores()
        return {
            name: weighed(name, weights, self._powers)
            if name in self._powers
            else weights
            for name, weights in plain.items()
        }

    def of_units(self, group: Group, scores: Scores) -> torch.Tensor:
        return activation(group, self.parameters_of(group), self._powers)

    def parameters_of(self, group: Group) -> Scores:
        """What a group lies in, as it is."""
        names = {axis.parameter for axis in group.axes} & set(self.parameters)
        return {name: self.parameters[name].detach() for name in names}

    def begin_anew(self) -> None:
        self._powers = InputPowers()

    def state_dict(self) -> dict:
        return self._powers.state_dict()

    def load_state_dict(self, state: dict) -> None:
        self._powers = InputPowers(state)


class _OfGradients(Criterion):
    """Adds up something of weights and gradients, like each parameter."""

    def __init__(self, model: nn.Module, parameters: Parameters):
        super().__init__(model, parameters)
        self._sums: Scores = {}

    def _seen(self) -> tuple[list, list, list]:
        """Sums, weights and gradients of what has a gradient."""
        named = [(n, p) for n, p in self.parameters.items() if p.grad is not None]
        for name, parameter in named:
            if name not in self._sums:
                self._sums[name] = torch.zeros_like(parameter, requires_grad=False)
        return (
            [self._sums[name] for name, _ in named],
            [parameter.detach() for _, parameter in named],
            [parameter.grad for _, parameter in named],
        )

    def scores(self) -> Scores:
        return {
            name: self._sums.get(name, torch.zeros_like(parameter, requires_grad=False))
            for name, parameter in self.parameters.items()
        }

    def state_dict(self) -> dict:
        return {"sums": dict(self._sums)}

    def load_state_dict(self, state: dict) -> None:
        self._sums = {
            name: tensor.to(self.parameters[name], copy=True)
            for name, tensor in state["sums"].items()
        }


class Movement(_OfGradients):
    """How far weights moved away from zero: -Σ W · ∂L/∂W (arXiv:2005.07683).

    It adds up at every step from the schedule's start. A unit's score is the sum of its
    weights', each axis over its mean size.
    """

    looks = None

    def look(self) -> None:
        torch._foreach_addcmul_(*self._seen(), value=-1)

    def of_units(self, group: Group, scores: Scores) -> torch.Tensor:
        total = torch.zeros(group.size)
        for axis in group.axes:
            if axis.parameter in scores:
                tensor = scores[axis.parameter]
                tensor = tensor.flatten() if axis.dim is None else tensor
                rows = tensor.movedim(axis.dim or 0, 0)
                along = rows.reshape(len(rows), -1).sum(1)
                own = along[axis.places].sum(0).float().cpu()
                total += own / own.abs().mean().clamp(min=torch.finfo(own.dtype).tiny)
        return total


class Taylor(_OfGradients):
    """First-order change of the loss without a weight: (W · ∂L/∂W)².

    Molchanov et al., CVPR 2019; summed over the last few steps before an update.
    """

    looks = BATCHES

    def look(self) -> None:
        sums, weights, gradients = self._seen()
        products = torch._foreach_mul(weights, gradients)
        torch._foreach_addcmul_(sums, products, products)

    def of_units(self, group: Group, scores: Scores) -> torch.Tensor:
        names = {axis.parameter for axis in group.axes} & set(scores)
        return unit_norms(group, {name: scores[name].sqrt() for name in names})

    def begin_anew(self) -> None:
        self._sums = {}


def finite_scores(criterion: Criterion) -> Scores:
    """Return a criterion's scores, or raise a ConfigError if any is NaN or infinite."""
    scores = criterion.scores()
    require_finite(scores, "importance of the weights", REMEDY)
    return scores


CRITERIA: dict[str, type[Criterion]] = {
    "magnitude": Criterion,
    "wanda": Wanda,
    "movement": Movement,
    "taylor": Taylor,
}
