"""What a training can lose, and which of it is still there."""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from espnet_distill.errors import ConfigError
from espnet_distill.pruning.criteria import Criterion


class Target(ABC):
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
    def factors(self) -> dict[str, torch.Tensor]:
        """Return by parameter what is kept of it, as it broadcasts over its shape."""

    @abstractmethod
    def gone(self) -> int:
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
