"""Masks over single weights: unstructured, or n:m."""

import math

import torch

from espnet_distill.errors import ConfigError
from espnet_distill.pruning.allocation.unit_counts import TOLERANCE
from espnet_distill.pruning.config import PruneOptions
from espnet_distill.pruning.criteria.base import Criterion, Parameters, finite_scores
from espnet_distill.pruning.masks.base import (
    PruningMask,
    least,
    matching,
    most_of,
    parts_of,
    sparsity_by_part,
)


class WeightMask(PruningMask):
    """Masks the weights of all parameters of two or more dimensions."""

    def __init__(self, parameters: Parameters, options: PruneOptions):
        """Choose the parameters.

        Raises:
            ConfigError: The pressure is out of reach, a pattern does not divide the
                input of a parameter, or a pattern of names matches none.
        """
        excluded = matching(options.exclude, parameters, "exclude")
        prunable = {
            name: parameter
            for name, parameter in parameters.items()
            if parameter.dim() > 1 and name not in excluded
        }
        self.names = list(prunable)
        self.kept = {
            name: torch.ones_like(p, dtype=torch.bool) for name, p in prunable.items()
        }
        self._floor = options.floor
        self._is_global = options.scope == "global"
        self._of_each = options.of_each
        self._total = sum(parameter.numel() for parameter in parameters.values())
        self._prunable = sum(parameter.numel() for parameter in prunable.values())
        self._last = self._final(prunable, options)
        self._count()

    def _final(self, prunable: Parameters, options: PruneOptions) -> int:
        """Return the number of weights pruned at the end."""
        reach = self._reach(prunable)
        if self._of_each and options.pressure is not None:
            if abs(options.pressure - reach) > TOLERANCE:
                raise ConfigError(
                    f"pressure: {options.pattern} removes {reach:.3f} of the "
                    f"parameters, not {options.pressure}; leave pressure out"
                )
        if self._of_each:
            return round(reach * self._total)
        if options.pressure > reach:
            raise ConfigError(
                f"pressure: {options.pressure} is out of reach of these weights; with "
                f"floor {options.floor} at most {most_of(reach)} can be reached"
            )
        return round(options.pressure * self._total)

    def _reach(self, prunable: Parameters) -> float:
        """Return the largest pressure that the weights can reach."""
        if not self._of_each:
            most = sum(p.numel() - self._least(p) for p in prunable.values())
            return most / self._total
        stay, of = self._of_each
        wrong = [name for name, p in prunable.items() if p.size(1) % of]
        if wrong:
            names = ", ".join(wrong)
            raise ConfigError(
                f"pattern: {stay}:{of} does not divide the input of {names}; add to "
                "exclude"
            )
        return self._prunable * (of - stay) / of / self._total

    def _least(self, tensor: torch.Tensor) -> int:
        return math.ceil(self._floor * tensor.numel() - 1e-9)

    def choose(self, progress: float, criterion: Criterion) -> None:
        scores = finite_scores(criterion)
        for name in self.names:
            scores[name] = scores[name].masked_fill(~self.kept[name], -math.inf)
        if self._of_each:
            self._choose_globally(self._candidates(scores), progress)
        elif self._is_global:
            self._choose_globally(self._protected(scores), progress)
        else:
            for name in self.names:
                fraction = progress * self._last / self._prunable
                number = round(fraction * self.kept[name].numel())
                self.kept[name] = ~least(scores[name], number)
        self._count()

    def _choose_globally(
        self, scores: dict[str, torch.Tensor], progress: float
    ) -> None:
        """Prune the weights of least score over all parameters."""
        flat = torch.cat([scores[name].flatten() for name in self.names])
        pruned = least(flat, round(progress * self._last))
        sizes = [self.kept[name].numel() for name in self.names]
        for name, mask in zip(self.names, pruned.split(sizes)):
            self.kept[name] = ~mask.view_as(self.kept[name])

    def _protected(self, scores: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Set the best scores of each parameter, its floor, to infinity."""
        protected = {}
        for name, tensor in scores.items():
            best = ~least(tensor, tensor.numel() - self._least(tensor))
            protected[name] = tensor.masked_fill(best, math.inf)
        return protected

    def _candidates(self, scores: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Set the n best scores of each m consecutive inputs to infinity."""
        stay, of = self._of_each
        candidates = {}
        for name, tensor in scores.items():
            rows = tensor.movedim(1, -1)
            blocks = rows.reshape(-1, of)
            best = blocks.topk(stay, dim=1).indices
            blocks = blocks.scatter(1, best, math.inf)
            candidates[name] = blocks.view(rows.shape).movedim(-1, 1)
        return candidates

    def multipliers(self) -> dict[str, torch.Tensor]:
        return self.kept

    def num_pruned(self) -> int:
        return self._num_pruned

    def load_kept(self, kept) -> None:
        super().load_kept(kept)
        self._count()

    def _count(self) -> None:
        self._num_pruned = sum(int((~mask).sum()) for mask in self.kept.values())
        self._sparsities = sparsity_by_part(parts_of(self.names), self.kept)

    def part_sparsities(self) -> dict[str, float]:
        return self._sparsities
