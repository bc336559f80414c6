"""What all masks share: targets, parameter names, selection."""

import difflib
import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from espnet_distill.errors import ConfigError
from espnet_distill.pruning.criteria.base import Criterion


class PruningMask(ABC):
    """Units of some kind, marked as kept or gone; what is gone stays gone.

    Attributes:
        kept: For each layer, by name, which of its units are kept.
        names: The parameters that a criterion has to score.
    """

    kept: dict[str, torch.Tensor]
    names: list[str]

    @abstractmethod
    def choose(self, share: float, criterion: Criterion) -> None:
        """Mark as gone so much of what is to go at the end, from 0 to 1."""

    @abstractmethod
    def multipliers(self) -> dict[str, torch.Tensor]:
        """Return by parameter what is kept of it, as it broadcasts over its shape."""

    @abstractmethod
    def num_pruned(self) -> int:
        """Count the parameters of the model that are gone."""

    @abstractmethod
    def shares(self) -> dict[str, float]:
        """Return which share is gone of the units of each part of the model."""

    def count_kept(self, model: nn.Module) -> list[RemovableHandle]:
        """Leave what is gone out of the statistics that a model normalises with."""
        return []

    def load_kept(self, kept: Mapping[str, torch.Tensor]) -> None:
        """Go on from what is kept.

        Raises:
            ConfigError: It is not of this target.
        """
        own = {name: tuple(mask.shape) for name, mask in self.kept.items()}
        if own != {name: tuple(mask.shape) for name, mask in kept.items()}:
            raise ConfigError(
                "the checkpoint's masks are of other layers; resume with the pruning "
                "that it began with, or train into another output_dir"
            )
        for name, mask in kept.items():
            self.kept[name] = mask.to(self.kept[name], copy=True)


def parts_of(names: list[str]) -> dict[str, str]:
    """Return the part of the model that each name belongs to.

    It is called by the first component in which the names differ.
    """
    components = {name: name.split(".") for name in names}
    columns = zip(*components.values())
    same = list(itertools.takewhile(lambda column: len(set(column)) == 1, columns))
    first = len(same)
    return {name: (parts[first:] or parts)[0] for name, parts in components.items()}


def shares_by(
    parts: Mapping[str, str], kept: Mapping[str, torch.Tensor]
) -> dict[str, float]:
    """Return which share of the units is gone, for each part of what is named."""
    whole: dict[str, int] = {}
    gone: dict[str, int] = {}
    for name, part in parts.items():
        whole[part] = whole.get(part, 0) + kept[name].numel()
        gone[part] = gone.get(part, 0) + int((~kept[name]).sum())
    return {part: gone[part] / whole[part] for part in whole}


def saved_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that a model's checkpoints hold: those are the model's."""
    saved = set(model.state_dict())
    return {n: p for n, p in model.named_parameters() if n in saved}


def most_of(reach: float) -> str:
    """Write a share that can be reached so that it can be asked for."""
    return f"{math.floor(reach * 1000) / 1000:g}"


def matching(patterns: Iterable[str], names: Iterable[str], key: str) -> set[str]:
    """Return the names that a pattern matches, as file names are matched.

    Raises:
        ConfigError: A pattern that matches none; it begins with ``key`` and says near
            ones.
    """
    names = list(names)
    found = set()
    for pattern in patterns:
        own = {name for name in names if fnmatchcase(name, str(pattern))}
        if not own:
            raise ConfigError(
                f"{key}: {pattern!r} names no parameter; near: {_near(pattern, names)}"
            )
        found |= own
    return found


def _near(pattern: str, names: list[str]) -> str:
    parts = [name.split(".") for name in names]
    modules = {".".join(p[:end]) + ".*" for p in parts for end in range(1, len(p))}
    near = difflib.get_close_matches(str(pattern), [*names, *modules], n=3, cutoff=0.3)
    return ", ".join(near or sorted(modules)[:3] or names[:3])


def least(scores: torch.Tensor, number: int) -> torch.Tensor:
    """Mark exactly ``number`` of the least scores, of equal ones the first.

    Args:
        scores: Of any shape.
        number: From 0 to as many as there are.

    Returns:
        True where a score is among them, of the same shape.
    """
    flat = scores.flatten()
    if number <= 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    border = flat.kthvalue(number).values
    chosen = flat < border
    equal = (flat == border).nonzero().flatten()
    chosen[equal[: number - int(chosen.sum())]] = True
    return chosen.view_as(scores)
