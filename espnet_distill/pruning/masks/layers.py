"""Masks over whole layers of residual stacks."""

import itertools
import math
from collections.abc import Mapping

import torch
from torch import nn

from espnet_distill.errors import ConfigError
from espnet_distill.pruning.allocation.unit_counts import TOLERANCE
from espnet_distill.pruning.config import PruneOptions
from espnet_distill.pruning.criteria.base import Criterion, Parameters, finite_scores
from espnet_distill.pruning.masks.base import (
    Handle,
    PruningMask,
    least,
    matching,
    parts_of,
    sparsity_by_part,
)
from espnet_distill.structure.layer_stacks import skip_layers
from espnet_distill.structure.residual import branch_ends, residual_stacks


class LayerMask(PruningMask):
    """Masks the layers of residual stacks, each a unit.

    The last projections of a pruned layer's residual branches are zero, by which
    compaction finds it, and in training the layer is the identity, even if it
    normalizes its output, as a conformer's does. It counts with all its parameters,
    which compaction removes.
    """

    def __init__(self, model: nn.Module, parameters: Parameters, options: PruneOptions):
        """Choose the stacks, and the number of layers that each loses.

        Raises:
            ConfigError: Whole layers do not reach the pressure, the model has no
                residual stack, or a pattern matches no name.
        """
        excluded = matching(options.exclude, parameters, "exclude")
        self._total = sum(parameter.numel() for parameter in parameters.values())
        self._ends: dict[tuple[str, int], list[str]] = {}
        self._sizes: dict[str, int] = {}
        self.kept = {}
        for stack, depth in residual_stacks(model).items():
            names = [name for name in parameters if name.startswith(f"{stack}.")]
            if excluded.intersection(names):
                continue
            layers = model.get_submodule(stack)
            for number, layer in enumerate(layers):
                prefix = f"{stack}.{number}"
                ends = [f"{prefix}.{name}" for name in branch_ends(layer)]
                self._ends[stack, number] = ends
            self._sizes[stack] = (
                sum(parameters[name].numel() for name in names) // depth
            )
            device = parameters[names[0]].device
            self.kept[stack] = torch.ones(depth, dtype=torch.bool, device=device)
        if not self.kept:
            raise ConfigError(
                "granularity: no stack of residual layers is left to prune"
            )
        self.names = [name for ends in self._ends.values() for name in ends]
        self._floor = options.floor
        self._is_global = options.scope == "global"
        if self._is_global and len(set(self._sizes.values())) > 1:
            raise ConfigError("scope: the stacks' layers differ in size; use layer")
        self._last = self._final(options.pressure)

    def _final(self, pressure: float) -> dict[str, int]:
        """Return the layers that each stack loses at the end, as evenly as possible."""
        depths = {stack: len(mask) for stack, mask in self.kept.items()}
        ranges = [range(depth - self._least(depth) + 1) for depth in depths.values()]
        allocations = [
            dict(zip(depths, counts)) for counts in itertools.product(*ranges)
        ]

        def error(counts: dict[str, int]) -> float:
            return abs(self._parameters(counts) / self._total - pressure)

        def unevenness(counts: dict[str, int]) -> float:
            ratios = [counts[stack] / depth for stack, depth in depths.items()]
            return max(ratios) - min(ratios)

        accepted = [counts for counts in allocations if error(counts) <= TOLERANCE]
        if not accepted:
            raise ConfigError(
                f"pressure: whole layers do not sum to {pressure}; the nearest are "
                f"{self._nearest(allocations, pressure)}"
            )
        return min(accepted, key=lambda counts: (unevenness(counts), error(counts)))

    def _least(self, depth: int) -> int:
        return max(1, math.ceil(self._floor * depth - 1e-9))

    def _nearest(self, allocations: list[dict[str, int]], pressure: float) -> str:
        reachable = {
            round(self._parameters(counts) / self._total, 3) for counts in allocations
        }
        nearest = sorted(reachable, key=lambda value: abs(value - pressure))[:2]
        return " and ".join(f"{value:g}" for value in sorted(nearest))

    def _parameters(self, pruned: Mapping[str, int]) -> int:
        """Count the parameters of a number of layers of each stack."""
        return sum(number * self._sizes[stack] for stack, number in pruned.items())

    def choose(self, progress: float, criterion: Criterion) -> None:
        scores = finite_scores(criterion)
        values = {
            stack: torch.stack(
                [self._score(scores, stack, number) for number in range(len(mask))]
            ).masked_fill(~mask, -torch.inf)
            for stack, mask in self.kept.items()
        }
        if self._is_global:
            self._choose_globally(values, round(progress * sum(self._last.values())))
            return
        for stack, stack_scores in values.items():
            number = round(progress * self._last[stack])
            self.kept[stack] = ~least(stack_scores, number)

    def _choose_globally(self, values: dict[str, torch.Tensor], number: int) -> None:
        """Prune the layers of least score over all stacks, with each stack's floor."""
        for scores in values.values():
            scores[scores.topk(self._least(len(scores))).indices] = torch.inf
        pruned = least(torch.cat(list(values.values())), number)
        depths = [len(scores) for scores in values.values()]
        for stack, mask in zip(values, pruned.split(depths)):
            self.kept[stack] = ~mask

    def _score(self, scores, stack: str, number: int) -> torch.Tensor:
        """Return the mean score of the last projections of a layer's branches."""
        flat = [scores[name].flatten() for name in self._ends[stack, number]]
        return torch.cat(flat).float().mean()

    def multipliers(self) -> dict[str, torch.Tensor]:
        return {
            name: self.kept[stack][number]
            for (stack, number), ends in self._ends.items()
            if not self.kept[stack][number]
            for name in ends
        }

    def count_kept(self, model: nn.Module) -> list[Handle]:
        pruned = {
            stack: (~mask).nonzero().flatten().tolist()
            for stack, mask in self.kept.items()
        }
        return skip_layers(model, pruned)

    def num_pruned(self) -> int:
        return self._parameters(
            {stack: int((~mask).sum()) for stack, mask in self.kept.items()}
        )

    def part_sparsities(self) -> dict[str, float]:
        return sparsity_by_part(parts_of(list(self.kept)), self.kept)
