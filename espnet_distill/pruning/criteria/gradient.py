"""Criteria from gradients: movement and Taylor."""

import torch
from torch import nn

from espnet_distill.pruning.criteria.base import BATCHES, Criterion, Parameters, Scores
from espnet_distill.structure.groups import Group
from espnet_distill.structure.statistics.importance import unit_norms


class _GradientCriterion(Criterion):
    """Base of criteria that sum a function of weights and gradients."""

    def __init__(self, model: nn.Module, parameters: Parameters):
        super().__init__(model, parameters)
        self._sums: Scores = {}

    def _sums_weights_gradients(self) -> tuple[list, list, list]:
        """Return sums, weights and gradients of the parameters that have a gradient."""
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


class Movement(_GradientCriterion):
    """Movement pruning: -Σ W · ∂L/∂W (arXiv:2005.07683).

    The sum is over all steps from the schedule's start. A unit's score sums the scores
    of its weights, each axis divided by its mean absolute value.
    """

    window = None

    def step(self) -> None:
        torch._foreach_addcmul_(*self._sums_weights_gradients(), value=-1)

    def of_units(self, group: Group, scores: Scores) -> torch.Tensor:
        total = torch.zeros(group.size)
        for axis in group.axes:
            if axis.parameter in scores:
                tensor = scores[axis.parameter]
                tensor = tensor.flatten() if axis.dim is None else tensor
                rows = tensor.movedim(axis.dim or 0, 0)
                along = rows.reshape(len(rows), -1).sum(1)
                units = along[axis.places].sum(0).float().cpu()
                tiny = torch.finfo(units.dtype).tiny
                total += units / units.abs().mean().clamp(min=tiny)
        return total


class Taylor(_GradientCriterion):
    """First-order Taylor estimate of the loss without a weight: (W · ∂L/∂W)².

    Molchanov et al., CVPR 2019; the sum is over the last BATCHES steps before an
    update.
    """

    window = BATCHES

    def step(self) -> None:
        sums, weights, gradients = self._sums_weights_gradients()
        products = torch._foreach_mul(weights, gradients)
        torch._foreach_addcmul_(sums, products, products)

    def of_units(self, group: Group, scores: Scores) -> torch.Tensor:
        names = {axis.parameter for axis in group.axes} & set(scores)
        return unit_norms(group, {name: scores[name].sqrt() for name in names})

    def reset(self) -> None:
        self._sums = {}
