"""Single weights: unstructured, or so many of each few in a row."""

import math

import torch

from espnet_distill.errors import ConfigError
from espnet_distill.pruning.allocation.unit_counts import TOLERANCE
from espnet_distill.pruning.config import Options
from espnet_distill.pruning.criteria.base import Criterion, Parameters, finite_scores
from espnet_distill.pruning.masks.base import (
    PruningMask,
    least,
    matching,
    most_of,
    parts_of,
    shares_by,
)


class WeightMask(PruningMask):
    """The numbers of all parameters of two or more dimensions, each a unit."""

    def __init__(self, parameters: Parameters, options: Options):
        """Choose the parameters.

        Raises:
            ConfigError: A pressure above what there is, a pattern that does not divide
                a parameter's input, a name that matches nothing.
        """
        left_out = matching(options.exclude, parameters, "exclude")
        own = {
            name: parameter
            for name, parameter in parameters.items()
            if parameter.dim() > 1 and name not in left_out
        }
        self.names = list(own)
        self.kept = {
            name: torch.ones_like(p, dtype=torch.bool) for name, p in own.items()
        }
        self._floor = options.floor
        self._is_global = options.scope == "global"
        self._of_each = options.of_each
        self._total = sum(parameter.numel() for parameter in parameters.values())
        self._own = sum(parameter.numel() for parameter in own.values())
        self._last = self._final(own, options)
        self._count()

    def _final(self, own: Parameters, options: Options) -> int:
        """How many weights are gone at the end."""
        reach = self._reach(own)
        if self._of_each and options.pressure is not None:
            if abs(options.pressure - reach) > TOLERANCE:
                raise ConfigError(
                    f"pressure: {options.pattern} takes {reach:.3f} of the parameters, "
                    f"not {options.pressure}; leave pressure out"
                )
        if self._of_each:
            return round(reach * self._total)
        if options.pressure > reach:
            raise ConfigError(
                f"pressure: {options.pressure} is more than the weights can give; with "
                f"floor {options.floor} at most {most_of(reach)} can be reached"
            )
        return round(options.pressure * self._total)

    def _reach(self, own: Parameters) -> float:
        """The most that can be gone, as a share of the model's parameters."""
        if not self._of_each:
            most = sum(p.numel() - self._least(p) for p in own.values())
            return most / self._total
        stay, of = self._of_each
        wrong = [name for name, p in own.items() if p.size(1) % of]
        if wrong:
            names = ", ".join(wrong)
            raise ConfigError(
                f"pattern: {stay}:{of} does not divide the input of {names}; add to "
                "exclude"
            )
        return self._own * (of - stay) / of / self._total

    def _least(self, tensor: torch.Tensor) -> int:
        return math.ceil(self._floor * tensor.numel() - 1e-9)

    def choose(self, share: float, criterion: Criterion) -> None:
        scores = finite_scores(criterion)
        for name in self.names:
            scores[name] = scores[name].masked_fill(~self.kept[name], -math.inf)
        if self._of_each:
            self._choose_in_all(self._candidates(scores), share)
        elif self._is_global:
            self._choose_in_all(self._protected(scores), share)
        else:
            for name in self.names:
                number = share * self._last / self._own * self.kept[name].numel()
                self.kept[name] = ~least(scores[name], round(number))
        self._count()

    def _choose_in_all(self, scores: dict[str, torch.Tensor], share: float) -> None:
        """Mark the least of all scores as gone."""
        flat = torch.cat([scores[name].flatten() for name in self.names])
        gone = least(flat, round(share * self._last))
        sizes = [self.kept[name].numel() for name in self.names]
        for name, own in zip(self.names, gone.split(sizes)):
            self.kept[name] = ~own.view_as(self.kept[name])

    def _protected(self, scores: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Scores with the best of each parameter, its floor, out of reach."""
        found = {}
        for name, own in scores.items():
            best = ~least(own, own.numel() - self._least(own))
            found[name] = own.masked_fill(best, math.inf)
        return found

    def _candidates(self, scores: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Scores with what a pattern keeps of each few out of reach."""
        stay, of = self._of_each
        found = {}
        for name, own in scores.items():
            rows = own.movedim(1, -1)
            fews = rows.reshape(-1, of)
            best = fews.topk(stay, dim=1).indices
            fews = fews.scatter(1, best, math.inf)
            found[name] = fews.view(rows.shape).movedim(-1, 1)
        return found

    def multipliers(self) -> dict[str, torch.Tensor]:
        return self.kept

    def num_pruned(self) -> int:
        return self._gone

    def load_kept(self, kept) -> None:
        super().load_kept(kept)
        self._count()

    def _count(self) -> None:
        self._gone = sum(int((~mask).sum()) for mask in self.kept.values())
        self._shares = shares_by(parts_of(self.names), self.kept)

    def shares(self) -> dict[str, float]:
        return self._shares
