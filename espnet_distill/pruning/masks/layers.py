"""Whole layers of a stack, each a unit."""

import itertools
import math
from collections.abc import Mapping

import torch
from torch import nn

from espnet_distill.errors import ConfigError
from espnet_distill.pruning.allocation.unit_counts import TOLERANCE
from espnet_distill.pruning.config import Options
from espnet_distill.pruning.criteria.base import Criterion, Parameters, finite_scores
from espnet_distill.pruning.masks.base import (
    PruningMask,
    least,
    matching,
    parts_of,
    shares_by,
)
from espnet_distill.structure.residual import branch_ends, residual_stacks


class LayerMask(PruningMask):
    """Layers of the stacks in which each adds to what it reads.

    A layer that is gone has the ends of its residual branches at zero; it counts with
    all its parameters, as it is worth when it is taken out.
    """

    def __init__(self, model: nn.Module, parameters: Parameters, options: Options):
        """Choose the stacks, and how many layers each loses.

        Raises:
            ConfigError: A pressure that whole layers do not come to, no such stack, a
                name that matches nothing.
        """
        left_out = matching(options.exclude, parameters, "exclude")
        self._total = sum(parameter.numel() for parameter in parameters.values())
        self._ends: dict[tuple[str, int], list[str]] = {}
        self._sizes: dict[str, int] = {}
        self.kept = {}
        for stack, depth in residual_stacks(model).items():
            own = [name for name in parameters if name.startswith(f"{stack}.")]
            if left_out.intersection(own):
                continue
            layers = model.get_submodule(stack)
            for number, layer in enumerate(layers):
                prefix = f"{stack}.{number}"
                ends = [f"{prefix}.{name}" for name in branch_ends(layer)]
                self._ends[stack, number] = ends
            self._sizes[stack] = sum(parameters[name].numel() for name in own) // depth
            device = parameters[own[0]].device
            self.kept[stack] = torch.ones(depth, dtype=torch.bool, device=device)
        if not self.kept:
            raise ConfigError("what: no stack of residual layers is left to prune")
        self.names = [name for ends in self._ends.values() for name in ends]
        self._floor = options.floor
        self._is_global = options.scope == "global"
        if self._is_global and len(set(self._sizes.values())) > 1:
            raise ConfigError("scope: the stacks' layers differ in size; say layer")
        self._last = self._final(options.pressure)

    def _final(self, pressure: float) -> dict[str, int]:
        """How many layers each stack has lost at the end, as evenly as can be."""
        depths = {stack: len(mask) for stack, mask in self.kept.items()}
        ranges = [range(depth - self._least(depth) + 1) for depth in depths.values()]
        ways = [dict(zip(depths, way)) for way in itertools.product(*ranges)]

        def miss(way: dict[str, int]) -> float:
            return abs(self._parameters(way) / self._total - pressure)

        def unevenness(way: dict[str, int]) -> float:
            shares = [way[stack] / depth for stack, depth in depths.items()]
            return max(shares) - min(shares)

        near = [way for way in ways if miss(way) <= TOLERANCE]
        if not near:
            raise ConfigError(
                f"pressure: whole layers do not come to {pressure}; near it are "
                f"{self._near(ways, pressure)}"
            )
        return min(near, key=lambda way: (unevenness(way), miss(way)))

    def _least(self, depth: int) -> int:
        return max(1, math.ceil(self._floor * depth - 1e-9))

    def _near(self, ways: list[dict[str, int]], pressure: float) -> str:
        reached = {round(self._parameters(way) / self._total, 3) for way in ways}
        near = sorted(reached, key=lambda value: abs(value - pressure))[:2]
        return " and ".join(f"{value:g}" for value in sorted(near))

    def _parameters(self, gone: Mapping[str, int]) -> int:
        return sum(number * self._sizes[stack] for stack, number in gone.items())

    def choose(self, share: float, criterion: Criterion) -> None:
        scores = finite_scores(criterion)
        values = {
            stack: torch.stack(
                [self._score(scores, stack, number) for number in range(len(mask))]
            ).masked_fill(~mask, -torch.inf)
            for stack, mask in self.kept.items()
        }
        if self._is_global:
            self._choose_in_all(values, round(share * sum(self._last.values())))
            return
        for stack, own in values.items():
            self.kept[stack] = ~least(own, round(share * self._last[stack]))

    def _choose_in_all(self, values: dict[str, torch.Tensor], number: int) -> None:
        """Mark the least of all stacks' layers, but for the best of each, its floor."""
        for own in values.values():
            own[own.topk(self._least(len(own))).indices] = torch.inf
        gone = least(torch.cat(list(values.values())), number)
        depths = [len(own) for own in values.values()]
        for stack, own in zip(values, gone.split(depths)):
            self.kept[stack] = ~own

    def _score(self, scores, stack: str, number: int) -> torch.Tensor:
        """Mean score of the weights at a layer's branch ends."""
        own = [scores[name].flatten() for name in self._ends[stack, number]]
        return torch.cat(own).float().mean()

    def multipliers(self) -> dict[str, torch.Tensor]:
        return {
            name: self.kept[stack][number]
            for (stack, number), ends in self._ends.items()
            if not self.kept[stack][number]
            for name in ends
        }

    def num_pruned(self) -> int:
        return self._parameters(
            {stack: int((~mask).sum()) for stack, mask in self.kept.items()}
        )

    def shares(self) -> dict[str, float]:
        return shares_by(parts_of(list(self.kept)), self.kept)
