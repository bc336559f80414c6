"""Choose the layers to factorize and their ranks, for a pressure."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from espnet_distill.errors import ConfigError
from espnet_distill.pruning.masks.base import most_of
from espnet_distill.structure.config_dims import MULTIPLE, count, shapes_of
from espnet_distill.structure.low_rank import Decomposition, Factors, Pair
from espnet_distill.students.models.low_rank_layer import LowRankLayer
from espnet_distill.utils.bisection import bisect
from espnet_distill.utils.progress import progress_bar

SMALL = 64  # inputs or outputs; below it any rank is allowed


EXPONENTS = (-40.0, 5.0)  # of the price, to base 10


HALVINGS = 60


@dataclass(frozen=True)
class RankCurve:
    """Parameters and output error of a layer at each rank.

    Attributes:
        ranks: (choices,), where 0 is the layer without factorization.
        parameters: Number of parameters of its weight or two factors, (choices,).
        lost: Fraction of the output's power that is lost, (choices,).
    """

    ranks: torch.Tensor
    parameters: torch.Tensor
    lost: torch.Tensor

    @classmethod
    def of(cls, weight: torch.Tensor, decomposition: Decomposition) -> "RankCurve":
        """Compute the curve of a weight from its decomposition."""
        ranks, parameters = _sizes(weight)
        lost = decomposition.lost[ranks[1:]]
        return cls(ranks, parameters, torch.cat([lost.new_zeros(1), lost]))

    def best(self, price: float) -> int:
        """Return the index that minimizes lost + price · parameters."""
        return int((self.lost + price * self.parameters).argmin())


def _sizes(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the ranks of a weight, 0 first, and their parameter counts, (choices,)."""
    inputs = weight.size(1)
    per_rank = inputs + weight.numel() // inputs
    step = MULTIPLE if min(weight.shape[:2]) >= SMALL else 1
    ranks = torch.arange(step, (weight.numel() - 1) // per_rank + 1, step)
    full = ranks.new_tensor([weight.numel()])
    return torch.cat([ranks.new_zeros(1), ranks]), torch.cat([full, ranks * per_rank])


def factorizable_layers(
    model: nn.Module, within: tuple[str, ...] = ("",)
) -> dict[str, nn.Module]:
    """Return the layers that low-rank factorization can replace, by name.

    Args:
        model: The model.
        within: Prefixes of the names.
    """
    nested = {
        f"{name}.{part}"
        for name, module in model.named_modules()
        if isinstance(module, LowRankLayer)
        for part, _ in module.named_children()
    }
    return {
        name: module
        for name, module in model.named_modules()
        if name.startswith(within)
        and name not in nested
        and LowRankLayer.can_factorize(module)
    }


def allocate_ranks(
    model: nn.Module,
    pressure: float,
    moments: Mapping[str, torch.Tensor],
    within: tuple[str, ...] = ("",),
) -> dict[str, Factors]:
    """Return the factors of each layer that is to be factorized.

    One Lagrange multiplier, a price per parameter, is shared by all layers; it
    minimizes the total output error.

    Args:
        model: The model.
        pressure: Target parameter sparsity.
        moments: Weight name → second moments of its input, where they were measured.
        within: Prefixes of the names of the layers.

    Raises:
        ConfigError: No ranks reach the pressure.
    """
    layers = factorizable_layers(model, within)
    total = count(shapes_of(model))
    fixed = total - sum(layer.weight.numel() for layer in layers.values())
    least = fixed + sum(int(_sizes(x.weight)[1].min()) for x in layers.values())
    if least > (1 - pressure) * total:
        units = ", or prune units, too" if within == ("",) else ""
        raise ConfigError(
            f"--pressure {pressure}: low ranks remove at most "
            f"{most_of(1 - least / total)} of this model; give less{units}"
        )
    curves: dict[str, RankCurve] = {}
    widest: dict[str, Pair] = {}
    for name, layer in progress_bar(layers.items(), desc="low rank", leave=False):
        decomposed = Decomposition(layer.weight, moments.get(f"{name}.weight"))
        curves[name] = RankCurve.of(layer.weight, decomposed)
        if most := int(curves[name].ranks[-1]):
            widest[name] = decomposed.pair(most)

    def count_at(price: float) -> int:
        return fixed + sum(
            int(curve.parameters[curve.best(price)]) for curve in curves.values()
        )

    budget = (1 - pressure) * total
    _, exponent = bisect(lambda x: count_at(10**x) > budget, *EXPONENTS, HALVINGS)
    chosen = {name: curve.best(10**exponent) for name, curve in curves.items()}
    _raise_ranks(budget - count_at(10**exponent), curves, chosen)
    factors = {}
    for name, index in chosen.items():
        if rank := int(curves[name].ranks[index]):
            first, second = widest.pop(name)
            truncated = first[:rank].clone(), second[:, :rank].clone()
            weight = layers[name].weight
            moment = moments.get(f"{name}.weight")
            factors[name] = Factors.of(truncated, weight, moment)
    return factors


def _raise_ranks(
    budget: float, curves: Mapping[str, RankCurve], chosen: dict[str, int]
) -> None:
    """Raise ranks greedily by gain per parameter, until the budget is used.

    Bisection can leave a large budget, as the price at which a layer changes is shared.
    """
    while True:
        gains = {}
        for name, index in chosen.items():
            curve = curves[name]
            if index and index + 1 < len(curve.ranks):
                cost = int(curve.parameters[index + 1] - curve.parameters[index])
                if cost <= budget:
                    gain = (curve.lost[index] - curve.lost[index + 1]) / cost
                    gains[name] = (float(gain), cost)
        if not gains:
            return
        name = max(gains, key=gains.get)
        chosen[name] += 1
        budget -= gains[name][1]
