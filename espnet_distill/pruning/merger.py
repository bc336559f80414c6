"""Fold units that go into those that stay, while a model trains."""

import contextlib
import logging
import math
from collections.abc import Collection, Mapping
from statistics import fmean

import torch
from torch import nn

from espnet_distill.pruning.criteria import Parameters
from espnet_distill.structure.coupling import Group
from espnet_distill.structure.listening import listening
from espnet_distill.structure.merging import merge
from espnet_distill.structure.moments import Moments, SecondMoments
from espnet_distill.structure.renormalising import layer_norms


class Merger:
    """Least squares of the units that go on those that stay, at what reads them.

    It hears the batches of the one step whose update it follows, so that it has no
    state between steps. Units behind a layer normalisation are left alone: as long as
    they are masked, it is over all of them. See ``structure.merging``.
    """

    looks = 1

    def __init__(
        self, model: nn.Module, parameters: Parameters, groups: Mapping[str, Group]
    ):
        """Take a model, its parameters, and groups by name."""
        self._model = model
        self._parameters = parameters
        self._groups = {
            name: group for name, group in groups.items() if not layer_norms(model, group)
        }
        self._readers = {
            axis.parameter
            for group in self._groups.values()
            for axis in group.axes
            if axis.dim == 1 and len(axis.places) == 1
        }
        self._moments = SecondMoments()
        self._ears = contextlib.ExitStack()

    def start(self) -> None:
        """Begin to listen, before a step."""
        self._moments = SecondMoments()
        ears = listening(self._model, self._hear, only=self._readers)
        self._ears.enter_context(ears)

    def _hear(self, name: str, x: torch.Tensor) -> None:
        if self._model.training:
            self._moments.hear(name, x)

    def look(self) -> None:
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
        heard, errors = self._moments.mean(), []
        for name in names:
            if name not in self._groups:
                continue
            group = self._groups[name]
            state = {n: p.detach() for n, p in self._parameters.items()}
            units = kept[name].nonzero().flatten()
            changed, saved = merge(state, group, units, _of_units(group, units, heard))
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


def _of_units(
    group: Group, kept: torch.Tensor, heard: Mapping[str, torch.Tensor]
) -> dict[str, Moments]:
    """Moments of a group's units by the weight that reads them."""
    places = {
        axis.parameter: axis.places[0].to(heard[axis.parameter].device)
        for axis in group.axes
        if axis.dim == 1 and len(axis.places) == 1 and axis.parameter in heard
    }
    return {
        name: Moments.of(heard[name][own][:, own], kept) for name, own in places.items()
    }
