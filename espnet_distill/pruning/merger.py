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


class Merger:
    """Least squares of the units that go on those that stay, at what reads them.

    It hears the batches of the one step whose update it follows, so that it has no
    state between steps. See ``structure.merging``.
    """

    looks = 1

    def __init__(
        self, model: nn.Module, parameters: Parameters, groups: Mapping[str, Group]
    ):
        """Take a model, its parameters, and groups by name."""
        self._model = model
        self._parameters = parameters
        self._groups = groups
        self._ears = contextlib.ExitStack()
        self._places: dict[str, list[tuple[str, torch.Tensor]]] = {}
        for name, group in groups.items():
            for axis in group.axes:
                if axis.dim == 1 and len(axis.places) == 1:
                    found = self._places.setdefault(axis.parameter, [])
                    found.append((name, axis.places[0]))
        self._sums: dict[str, dict[str, torch.Tensor]] = {}
        self._counts: dict[str, int] = {}

    def start(self) -> None:
        """Begin to listen, before a step."""
        self._sums = {name: {} for name in self._groups}
        self._counts = {}
        ears = listening(self._model, self._hear, only=self._places)
        self._ears.enter_context(ears)

    def look(self) -> None:
        """Listen only."""

    def stop(self) -> None:
        """Listen no more."""
        self._ears.close()

    def _hear(self, reader: str, x: torch.Tensor) -> None:
        if not self._model.training:
            return
        self._counts[reader] = self._counts.get(reader, 0) + x.size(1)
        for name, places in self._places[reader]:
            units = x[places.to(x.device)].float()
            sums = self._sums[name]
            sums[reader] = sums.get(reader, 0) + units @ units.T

    def merge(self, kept: Mapping[str, torch.Tensor], names: Collection[str]) -> None:
        """Change what reads the groups named, so that it does without some units.

        Args:
            kept: Of each group, which units stay, as booleans.
            names: The groups of which some have just gone.
        """
        from espnet_distill.structure.merging import merge

        errors = []
        for name in names:
            moments = {
                reader: self._mean(sums, self._counts[reader])
                for reader, sums in self._sums[name].items()
            }
            state = {n: p.detach() for n, p in self._parameters.items()}
            units = kept[name].nonzero().flatten()
            merged, saved = merge(state, self._groups[name], units, moments)
            for parameter, tensor in merged.items():
                self._parameters[parameter].copy_(tensor)
            if merged and math.isfinite(saved.removed):
                errors.append((saved.removed, saved.merged))
        if errors:
            removed, merged = map(fmean, zip(*errors))
            logging.info(
                f"Merging leaves {merged:.3f} of what reads the units, not {removed:.3f}"
                ", as error"
            )

    def _mean(self, sums: torch.Tensor, count: int) -> torch.Tensor:
        """Mean over all processes, so that all merge alike."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            whole = sums.new_tensor(count)
            torch.distributed.all_reduce(sums)
            torch.distributed.all_reduce(whole)
            count = float(whole)
        return sums / count
