"""Wanda: weight magnitude times input norm."""

import contextlib

import torch
from torch import nn

from espnet_distill.pruning.criteria.base import BATCHES, Criterion, Parameters, Scores
from espnet_distill.structure.groups import Group
from espnet_distill.structure.statistics.hooks import observe_inputs
from espnet_distill.structure.statistics.importance import wanda_scores, weighted
from espnet_distill.structure.statistics.input_norms import InputPowers


class Wanda(Criterion):
    """|W| · ‖x‖, where ‖x‖ is the norm of a weight's input (arXiv:2306.11695).

    Inputs are observed in the last BATCHES steps before an update. Weights without an
    observed input, such as embeddings, are scored by magnitude.
    """

    window = BATCHES

    def __init__(self, model: nn.Module, parameters: Parameters):
        super().__init__(model, parameters)
        self._powers = InputPowers()
        self._hooks = contextlib.ExitStack()

    def start(self) -> None:
        hooks = observe_inputs(self.model, self._observe, only=self.parameters)
        self._hooks.enter_context(hooks)

    def _observe(self, name: str, x: torch.Tensor) -> None:
        if self.model.training:
            self._powers.observe(name, x)

    def stop(self) -> None:
        self._hooks.close()

    def scores(self) -> Scores:
        self._powers.sum_over_processes()
        magnitudes = super().scores()
        return {
            name: weighted(name, weights, self._powers)
            if name in self._powers
            else weights
            for name, weights in magnitudes.items()
        }

    def of_units(self, group: Group, scores: Scores) -> torch.Tensor:
        return wanda_scores(group, self._parameters_of(group), self._powers)

    def _parameters_of(self, group: Group) -> Scores:
        """Return the parameters that contain units of a group."""
        names = {axis.parameter for axis in group.axes} & set(self.parameters)
        return {name: self.parameters[name].detach() for name in names}

    def reset(self) -> None:
        self._powers = InputPowers()

    def state_dict(self) -> dict:
        return self._powers.state_dict()

    def load_state_dict(self, state: dict) -> None:
        self._powers = InputPowers(state)
