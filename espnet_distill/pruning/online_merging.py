"""Merge pruned units into kept ones during training."""

import contextlib
import logging
import math
from collections.abc import Collection, Mapping
from statistics import fmean

import torch
from torch import nn

from espnet_distill.pruning.criteria.base import BATCHES, Parameters
from espnet_distill.structure.groups import Group
from espnet_distill.structure.layer_norm import layer_norms
from espnet_distill.structure.residual import is_attention
from espnet_distill.structure.statistics.hooks import observe_inputs
from espnet_distill.structure.statistics.second_moments import (
    Moments,
    SecondMoments,
    readers_of,
)
from espnet_distill.structure.unit_merging import merge


class Merger:
    """Regresses pruned units on kept units by least squares, and updates their readers.

    Second moments are measured on the last BATCHES steps before an update, within one
    epoch, since they are too large for the checkpoint of each epoch. A reader with many
    positions is measured on the first ones only. Attention and units before a layer
    normalization, which normalizes over masked units, too, are not merged. See
    ``structure.unit_merging``.
    """

    window = BATCHES
    min_positions = 8  # positions for each input of a layer

    def __init__(
        self, model: nn.Module, parameters: Parameters, groups: Mapping[str, Group]
    ):
        """Store a model, its parameters, and its pruning groups by name."""
        self._model = model
        self._parameters = parameters
        self._groups = {
            name: group
            for name, group in groups.items()
            if not (is_attention(group) or layer_norms(model, group))
        }
        self._readers = {
            axis.parameter
            for group in self._groups.values()
            for axis in readers_of(group)
        }
        self._moments = SecondMoments()
        self._hooks = contextlib.ExitStack()

    def start(self) -> None:
        """Begin to observe, before a step."""
        hooks = observe_inputs(self._model, self._observe, only=self._readers)
        self._hooks.enter_context(hooks)

    def _observe(self, name: str, x: torch.Tensor) -> None:
        if self._model.training and not self._moments.has_observed(
            name, self.min_positions * len(x)
        ):
            self._moments.observe(name, x)

    def reset(self) -> None:
        """Discard moments, after an update."""
        self._moments = SecondMoments()

    def state_dict(self) -> dict:
        """Return the moments of this epoch: tensors and plain types."""
        return self._moments.state_dict()

    def load_state_dict(self, state: dict) -> None:
        """Restore moments."""
        self._moments.load_state_dict(state)

    def step(self) -> None:
        """Do nothing: the hooks observe."""

    def stop(self) -> None:
        """Stop observing."""
        self._hooks.close()

    def merge(self, kept: Mapping[str, torch.Tensor], names: Collection[str]) -> None:
        """Update the readers of groups for the removal of units.

        Args:
            kept: Mask of each group, boolean (size,), True for kept units.
            names: The groups that lose units in this update.
        """
        means, positions = self._moments.mean(), self._moments.positions()
        state = {name: p.detach() for name, p in self._parameters.items()}
        errors = []
        for name in names:
            if name not in self._groups:
                continue
            group, units = self._groups[name], kept[name].nonzero().flatten()
            moments = {}
            for axis in readers_of(group):
                if (reader := axis.parameter) in means:
                    inputs = axis.places[0].to(means[reader].device)
                    second = means[reader][inputs][:, inputs]
                    moments[reader] = Moments.of(second, units, positions[reader])
            changed, saved = merge(state, group, units, moments)
            for parameter, tensor in changed.items():
                self._parameters[parameter].copy_(tensor)
            if changed and math.isfinite(saved.removed):
                errors.append((saved.removed, saved.merged))
        if errors:
            removed, merged = map(fmean, zip(*errors))
            logging.info(
                f"Merging: relative error of the readers' outputs {merged:.3f}, "
                f"without merging {removed:.3f}"
            )
