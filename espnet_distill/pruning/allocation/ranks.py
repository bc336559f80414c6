"""Which layers become two of low rank, and of which rank, for a number of parameters."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from espnet_distill.errors import ConfigError
from espnet_distill.pruning.masks.base import most_of
from espnet_distill.structure.config_dims import count, shapes_of
from espnet_distill.structure.low_rank import Decomposition, Factors, Pair
from espnet_distill.students.models.low_rank_layer import Factorised
from espnet_distill.utils.progress import progress_bar

MULTIPLE = 8  # of ranks, as CPUs like them


SMALL = 64  # below so many inputs or outputs a rank is any number


HALVINGS = 60


@dataclass(frozen=True)
class RankCurve:
    """What a layer can be: itself, or two of some rank.

    Attributes:
        ranks: 0 for itself, (choices,).
        parameters: Of its weight or weights, (choices,).
        lost: Share of its output's power, (choices,).
    """

    ranks: torch.Tensor
    parameters: torch.Tensor
    lost: torch.Tensor

    @classmethod
    def of(cls, weight: torch.Tensor, whole: Decomposition) -> "RankCurve":
        """List the choices of a weight that has been decomposed."""
        ranks, parameters = _sizes(weight)
        lost = whole.lost[ranks[1:]]
        return cls(ranks, parameters, torch.cat([lost.new_zeros(1), lost]))

    def best(self, price: float) -> int:
        """Return the choice that loses least, at a price a parameter."""
        return int((self.lost + price * self.parameters).argmin())


def _sizes(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Ranks that a weight can have, 0 for itself, and what they come to, (choices,)."""
    inputs = weight.size(1)
    thin = inputs + weight.numel() // inputs
    step = MULTIPLE if min(weight.shape[:2]) >= SMALL else 1
    ranks = torch.arange(step, (weight.numel() - 1) // thin + 1, step)
    whole = ranks.new_tensor([weight.numel()])
    return torch.cat([ranks.new_zeros(1), ranks]), torch.cat([whole, ranks * thin])


def factorisable(model: nn.Module) -> dict[str, nn.Module]:
    """Return the layers that two of low rank can stand for, by name."""
    inside = {
        f"{name}.{part}"
        for name, module in model.named_modules()
        if isinstance(module, Factorised)
        for part, _ in module.named_children()
    }
    return {
        name: module
        for name, module in model.named_modules()
        if name not in inside and Factorised.stands_for(module)
    }


def allocate_ranks(
    model: nn.Module, pressure: float, moments: Mapping[str, torch.Tensor]
) -> dict[str, Factors]:
    """Return the weights of each layer that is to be two.

    All layers lose power at one price a parameter, which leaves least lost in all.

    Args:
        model: The model.
        pressure: Share of its parameters to take away.
        moments: Weight → second moments of what it reads, where they are known.

    Raises:
        ConfigError: A pressure that no ranks reach.
    """
    layers = factorisable(model)
    whole = count(shapes_of(model))
    rest = whole - sum(layer.weight.numel() for layer in layers.values())
    least = rest + sum(int(_sizes(x.weight)[1].min()) for x in layers.values())
    if least > (1 - pressure) * whole:
        raise ConfigError(
            f"--pressure {pressure}: low ranks take at most "
            f"{most_of(1 - least / whole)} of this model; say less, or prune units, too"
        )
    choices: dict[str, RankCurve] = {}
    widest: dict[str, Pair] = {}
    for name, layer in progress_bar(layers.items(), desc="low rank", leave=False):
        decomposed = Decomposition(layer.weight, moments.get(f"{name}.weight"))
        choices[name] = RankCurve.of(layer.weight, decomposed)
        if most := int(choices[name].ranks[-1]):
            widest[name] = decomposed.pair(most)

    def left(price: float) -> int:
        return rest + sum(
            int(one.parameters[one.best(price)]) for one in choices.values()
        )

    low, high = -40.0, 5.0  # of the price, as a power of ten
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if left(10**middle) > (1 - pressure) * whole:
            low = middle
        else:
            high = middle
    chosen = {name: one.best(10**high) for name, one in choices.items()}
    _spend((1 - pressure) * whole - left(10**high), choices, chosen)
    found = {}
    for name, index in chosen.items():
        if rank := int(choices[name].ranks[index]):
            first, second = widest.pop(name)
            pair = first[:rank].clone(), second[:, :rank].clone()
            weight = layers[name].weight
            found[name] = Factors.of(pair, weight, moments.get(f"{name}.weight"))
    return found


def _spend(
    rest: float, choices: Mapping[str, RankCurve], chosen: dict[str, int]
) -> None:
    """Raise ranks for what is left of the parameters, where that gains most.

    Whole layers change at one price, so that it may leave many.
    """
    while True:
        gains = {}
        for name, index in chosen.items():
            one = choices[name]
            if index and index + 1 < len(one.ranks):
                cost = int(one.parameters[index + 1] - one.parameters[index])
                if cost <= rest:
                    gain = (one.lost[index] - one.lost[index + 1]) / cost
                    gains[name] = (float(gain), cost)
        if not gains:
            return
        name = max(gains, key=gains.get)
        chosen[name] += 1
        rest -= gains[name][1]
