"""Base class of pruning masks, parameter name patterns, selection of scores."""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Protocol

import torch
from torch import nn

from espnet_distill.errors import ConfigError, near_names
from espnet_distill.pruning.criteria.base import Criterion


class Handle(Protocol):
    """What undoes a change of a model, such as a hook."""

    def remove(self) -> None: ...


class PruningMask(ABC):
    """Marks units as kept or pruned; pruned units stay pruned.

    Attributes:
        kept: Boolean mask of each layer or group, by name, True for kept units.
        names: Names of the parameters that a criterion scores.
    """

    kept: dict[str, torch.Tensor]
    names: list[str]

    @abstractmethod
    def choose(self, progress: float, criterion: Criterion) -> None:
        """Prune the units of least score, at a fraction of the final pressure."""

    @abstractmethod
    def multipliers(self) -> dict[str, torch.Tensor]:
        """Return masks by parameter, each broadcastable to the parameter's shape."""

    @abstractmethod
    def num_pruned(self) -> int:
        """Count the pruned parameters of the model."""

    @abstractmethod
    def part_sparsities(self) -> dict[str, float]:
        """Return the sparsity of each part of the model, over its units."""

    def count_kept(self, model: nn.Module) -> list[Handle]:
        """Compute as the model without the pruned units does; return handles.

        Zero weights do not suffice for layer normalizations, positional encodings, and
        layers that normalize their output.
        """
        return []

    def load_kept(self, kept: Mapping[str, torch.Tensor]) -> None:
        """Restore masks.

        Raises:
            ConfigError: The masks are of other layers.
        """
        shapes = {name: tuple(mask.shape) for name, mask in self.kept.items()}
        if shapes != {name: tuple(mask.shape) for name, mask in kept.items()}:
            raise ConfigError(
                "the checkpoint's masks are of other layers; resume with the pruning "
                "that it began with, or train into another output_dir"
            )
        for name, mask in kept.items():
            self.kept[name] = mask.to(self.kept[name], copy=True)


def parts_of(names: list[str]) -> dict[str, str]:
    """Return the part of the model that each name belongs to.

    A part is the first component in which the names differ.
    """
    components = {name: name.split(".") for name in names}
    columns = zip(*components.values())
    common = list(itertools.takewhile(lambda column: len(set(column)) == 1, columns))
    first = len(common)
    return {name: (parts[first:] or parts)[0] for name, parts in components.items()}


def sparsity_by_part(
    parts: Mapping[str, str], kept: Mapping[str, torch.Tensor]
) -> dict[str, float]:
    """Return the sparsity of each part, over the units of the names in it."""
    total: dict[str, int] = {}
    pruned: dict[str, int] = {}
    for name, part in parts.items():
        total[part] = total.get(part, 0) + kept[name].numel()
        pruned[part] = pruned.get(part, 0) + int((~kept[name]).sum())
    return {part: pruned[part] / total[part] for part in total}


def saved_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that are in a model's state dict, by name."""
    saved = set(model.state_dict())
    return {n: p for n, p in model.named_parameters() if n in saved}


def most_of(reach: float) -> str:
    """Format the largest reachable pressure, rounded down."""
    return f"{math.floor(reach * 1000) / 1000:g}"


def matching(patterns: Iterable[str], names: Iterable[str], key: str) -> set[str]:
    """Return the names that a pattern matches, by the rules of ``fnmatch``.

    Raises:
        ConfigError: A pattern matches no name. The message begins with ``key`` and
            lists similar names.
    """
    names = list(names)
    matches = set()
    for pattern in patterns:
        matched = {name for name in names if fnmatchcase(name, str(pattern))}
        if not matched:
            similar = _similar_names(pattern, names)
            raise ConfigError(f"{key}: {pattern!r} names no parameter; near: {similar}")
        matches |= matched
    return matches


def _similar_names(pattern: str, names: list[str]) -> str:
    parts = [name.split(".") for name in names]
    modules = {".".join(p[:end]) + ".*" for p in parts for end in range(1, len(p))}
    candidates = [*names, *modules]
    near = near_names(pattern, candidates)
    return ", ".join(near or sorted(modules)[:3] or names[:3])


def least(scores: torch.Tensor, number: int) -> torch.Tensor:
    """Mark exactly ``number`` of the least scores; of equal scores the first.

    Args:
        scores: Of any shape.
        number: From 0 to the number of scores.

    Returns:
        True for the least scores, of the same shape.
    """
    flat = scores.flatten()
    if number <= 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    border = flat.kthvalue(number).values
    chosen = flat < border
    equal = (flat == border).nonzero().flatten()
    chosen[equal[: number - int(chosen.sum())]] = True
    return chosen.view_as(scores)
