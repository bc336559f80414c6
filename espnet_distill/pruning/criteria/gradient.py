"""Criteria from gradients: movement and Taylor."""

import torch
from torch import nn

from espnet_distill.pruning.criteria.base import BATCHES, Criterion, Parameters, Scores
from espnet_distill.structure.groups import Group
from espnet_distill.structure.statistics.importance import unit_norms


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

    window = None

    def step(self) -> None:
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

    window = BATCHES

    def step(self) -> None:
        sums, weights, gradients = self._seen()
        products = torch._foreach_mul(weights, gradients)
        torch._foreach_addcmul_(sums, products, products)

    def of_units(self, group: Group, scores: Scores) -> torch.Tensor:
        names = {axis.parameter for axis in group.axes} & set(scores)
        return unit_norms(group, {name: scores[name].sqrt() for name in names})

    def reset(self) -> None:
        self._sums = {}
