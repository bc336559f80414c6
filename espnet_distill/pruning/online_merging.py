"""Fold units that go into those that stay, while a model trains."""

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
    """Least squares of the units that go on those that stay, at what reads them.

    It hears the last few batches before an update that are of the same epoch, since what
    it knows is too much for the checkpoint of each; of a layer that reads many
    positions, the first of them only. Attention is left alone, and so are units behind a
    layer normalisation: as long as they are masked, it is over all of them. See
    ``structure.merging``.
    """

    window = BATCHES
    enough = 8  # positions for each unit that a layer reads

    def __init__(
        self, model: nn.Module, parameters: Parameters, groups: Mapping[str, Group]
    ):
        """Take a model, its parameters, and groups by name."""
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
        self._ears = contextlib.ExitStack()

    def start(self) -> None:
        """Begin to listen, before a step."""
        ears = observe_inputs(self._model, self._observe, only=self._readers)
        self._ears.enter_context(ears)

    def _observe(self, name: str, x: torch.Tensor) -> None:
        if self._model.training and not self._moments.knows(name, self.enough * len(x)):
            self._moments.observe(name, x)

    def reset(self) -> None:
        """Forget what was heard before an update."""
        self._moments = SecondMoments()

    def state_dict(self) -> dict:
        """Return what was heard of this epoch: tensors and plain types."""
        return self._moments.state_dict()

    def load_state_dict(self, state: dict) -> None:
        """Go on from what was heard."""
        self._moments.load_state_dict(state)

    def step(self) -> None:
        """Listen only."""

    def stop(self) -> None:
        """Listen no more."""
        self._ears.close()

    def merge(self, kept: Mapping[str, torch.Tensor], names: Collection[str]) -> None:
        """Change what reads the groups named, so that it does without some units.

        Args:
            kept: Of each group, which units stay, as booleans.
            names: The groups of which some have just gone.
        """
        heard, positions = self._moments.mean(), self._moments.positions()
        state = {name: p.detach() for name, p in self._parameters.items()}
        errors = []
        for name in names:
            if name not in self._groups:
                continue
            group, units = self._groups[name], kept[name].nonzero().flatten()
            moments = {}
            for axis in readers_of(group):
                if (reader := axis.parameter) in heard:
                    own = axis.places[0].to(heard[reader].device)
                    second = heard[reader][own][:, own]
                    moments[reader] = Moments.of(second, units, positions[reader])
            changed, saved = merge(state, group, units, moments)
            for parameter, tensor in changed.items():
                self._parameters[parameter].copy_(tensor)
            if changed and math.isfinite(saved.removed):
                errors.append((saved.removed, saved.merged))
        if errors:
            removed, merged = map(fmean, zip(*errors))
            logging.info(
                f"Merging: the error of what reads the units is {merged:.3f}, not "
                f"{removed:.3f}"
            )
