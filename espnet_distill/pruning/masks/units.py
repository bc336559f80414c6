"""Masks over pruning groups: feed-forward units, convolution channels, heads."""

from bisect import bisect_left
from collections.abc import Callable
from itertools import chain

import torch
from torch import nn

from espnet_distill.errors import ConfigError
from espnet_distill.pruning.allocation.unit_counts import (
    ParameterCounter,
    allocate_units,
    least_counts,
    require_reach,
)
from espnet_distill.pruning.config import PruneOptions
from espnet_distill.pruning.criteria.base import Criterion, Parameters, finite_scores
from espnet_distill.pruning.masks.base import (
    Handle,
    PruningMask,
    least,
    matching,
    sparsity_by_part,
)
from espnet_distill.structure.config_dims import shapes_of
from espnet_distill.structure.groups import Group
from espnet_distill.structure.heads import find_channel_groups, find_head_groups
from espnet_distill.structure.layer_norm import mask_layer_norms
from espnet_distill.structure.positions import mask_encodings
from espnet_distill.structure.residual import (
    has_positions,
    is_attention,
    is_inside,
    is_stream,
    is_style,
    nearest_frequencies,
    with_position_readers,
)


class UnitMask(PruningMask):
    """Masks the units of a model's pruning groups.

    Residual streams and attention are pruned only if options include them; attention
    then loses whole heads. With `stock_compatible`, attention keeps its heads, and the
    channels of every head and convolution inside the layers are pruned by the ratio of
    the residual stream.

    Attributes:
        groups: Pruning groups by the first axis of their units, ``parameter:dim``, with
            the position in that axis if it is not 0.
    """

    groups: dict[str, Group]

    def __init__(
        self,
        model: nn.Module,
        parameters: Parameters,
        options: PruneOptions,
        find_groups: Callable[[nn.Module], list[Group]],
    ):
        """Choose the groups, and the number of units that each keeps.

        Raises:
            ConfigError: The floors do not allow the pressure, or a pattern matches no
                name.
        """
        shapes = {name: tuple(p.shape) for name, p in parameters.items()}
        excluded = matching(options.exclude, parameters, "exclude")
        prunable = _included(model, find_groups(model), options)
        self.groups = {
            _name(group): group
            for group in prunable
            if not excluded.intersection(axis.parameter for axis in group.axes)
        }
        self.names = [
            name
            for name in parameters
            if any(a.parameter == name for g in self.groups.values() for a in g.axes)
        ]
        self._shapes = shapes
        self._counter = ParameterCounter(list(self.groups.values()), shapes)
        self._pressure = options.pressure
        self._is_global = options.scope == "global"
        self._set_counts(options)
        self.kept = {
            name: torch.ones(group.size, dtype=torch.bool)
            for name, group in self.groups.items()
        }

    def _set_counts(self, options: PruneOptions) -> None:
        """Set the units that each group keeps: at the end, or globally at least."""
        groups = list(self.groups.values())
        streams = [group for group in groups if is_stream(group)]
        if not self._is_global:
            tied = [
                is_stream(g)
                or is_style(g, streams)
                or options.stock_compatible
                and is_inside(g, streams)
                for g in groups
            ]
            counts = allocate_units(
                groups, self._shapes, options.pressure, options.floor, tied=tied
            )
        else:
            if streams:
                raise ConfigError(
                    "scope: all layers share the residual width; use layer"
                )
            counts = least_counts([group.size for group in groups], options.floor)
            require_reach(self._counter, counts, options.pressure, options.floor)
        self._last = dict(zip(self.groups, map(int, counts)))

    def choose(self, progress: float, criterion: Criterion) -> None:
        scores = finite_scores(criterion)
        values = {
            name: criterion.of_units(group, scores).masked_fill(
                ~self.kept[name], -torch.inf
            )
            for name, group in self.groups.items()
        }
        if self._is_global:
            self._choose_globally(values, progress * self._pressure)
            return
        for name, unit_scores in values.items():
            self._protect_positions(name, unit_scores)
            number = round(progress * (len(unit_scores) - self._last[name]))
            self.kept[name] = ~least(unit_scores, number)

    def _protect_positions(self, name: str, scores: torch.Tensor) -> None:
        """Protect the channels of a residual stream that positional encoding needs.

        They are those whose frequencies are nearest to the frequencies of the final
        width.
        """
        if has_positions(self.groups[name]):
            scores[nearest_frequencies(len(scores), self._last[name])] = torch.inf

    def _choose_globally(
        self, values: dict[str, torch.Tensor], pressure: float
    ) -> None:
        """Prune the units of least score over all groups, up to a pressure."""
        for name, scores in values.items():
            scores[scores.topk(self._last[name]).indices] = torch.inf
        flat = torch.cat(list(values.values()))
        sizes = [len(scores) for scores in values.values()]
        target = (1 - pressure) * self._counter.total

        def masks_at(number: int) -> tuple[torch.Tensor, ...]:
            return (~least(flat, number)).split(sizes)

        def count_at(number: int) -> int:
            return self._counter([int(mask.sum()) for mask in masks_at(number)])

        numbers = range(int(flat.isfinite().sum() + (flat == -torch.inf).sum()))
        number = bisect_left(numbers, True, key=lambda n: count_at(n) <= target)
        if number and abs(count_at(number - 1) - target) < abs(
            count_at(number) - target
        ):
            number -= 1
        for name, mask in zip(values, masks_at(number)):
            self.kept[name] = mask

    def excess(self, kept: torch.Tensor, progress: float) -> torch.Tensor:
        """Return expected minus scheduled sparsity, differentiable.

        Args:
            kept: Expected number of kept units of each group, (groups,).
            progress: Fraction of the final pressure that is scheduled, from 0 to 1.

        Returns:
            Over the units of each group, (groups,); in global scope, over the model's
            parameters, (1,).
        """
        if self._is_global:
            return (self.expected(kept) - progress * self._pressure)[None]
        sizes = kept.new_tensor([group.size for group in self.groups.values()])
        last = kept.new_tensor(list(self._last.values()))
        return 1 - kept / sizes - progress * (1 - last / sizes)

    def expected(self, kept: torch.Tensor) -> torch.Tensor:
        """Return the expected sparsity of the model, see ``excess``."""
        return 1 - self._counter.expected(kept) / self._counter.total

    def multipliers(self) -> dict[str, torch.Tensor]:
        multipliers: dict[str, torch.Tensor] = {}
        for name, group in self.groups.items():
            pruned = ~self.kept[name]
            if not pruned.any():
                continue
            for axis in group.axes:
                if axis.parameter in self._shapes:
                    mask = _mask_along(axis, pruned, self._shapes[axis.parameter])
                    combined = multipliers.get(axis.parameter, True) & mask
                    multipliers[axis.parameter] = combined
        return multipliers

    def count_kept(self, model: nn.Module) -> list[Handle]:
        handles: list[Handle] = []
        for name, group in self.groups.items():
            kept = self.kept[name]
            if not kept.all():
                handles += mask_layer_norms(model, group, kept)
                handles += mask_encodings(model, group, kept)
        return handles

    def num_pruned(self) -> int:
        counts = [int(mask.sum()) for mask in self.kept.values()]
        return self._counter.total - self._counter(counts)

    def part_sparsities(self) -> dict[str, float]:
        return sparsity_by_part({name: _part(name) for name in self.kept}, self.kept)


def _name(group: Group) -> str:
    """Name a group by its first axis; the position distinguishes heads of a layer."""
    first = group.axes[0]
    place = int(first.places[0, 0])
    return f"{first.parameter}:{first.dim}" + (f":{place}" if place else "")


def _included(
    model: nn.Module, groups: list[Group], options: PruneOptions
) -> list[Group]:
    """Return the prunable groups, of more than one unit each.

    Style tokens are pruned with the residual stream, or not at all.
    """
    includes_residual = "residual" in options.prune_also
    if includes_residual:
        groups = with_position_readers(groups, shapes_of(model))
    streams = [group for group in groups if is_stream(group)]
    included = [group for group in groups if group.size > 1 and not is_attention(group)]
    channels = list(chain.from_iterable(find_channel_groups(model, groups)))
    if includes_residual:
        included += [group for group in channels if is_style(group, streams)]
    else:
        included = [g for g in included if not (is_stream(g) or is_style(g, streams))]
    if "heads" in options.prune_also:
        heads = find_head_groups(model, groups)
        included += [group for group in heads if not is_style(group, streams)]
    if options.stock_compatible and includes_residual:
        included += [group for group in channels if is_inside(group, streams)]
    elif options.stock_compatible:
        included = [group for group in included if not is_inside(group, streams)]
    return included


def _mask_along(axis, pruned: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Return the mask along an axis, broadcastable to the parameter's shape."""
    length = shape[axis.dim] if axis.dim is not None else torch.Size(shape).numel()
    kept = torch.ones(length, dtype=torch.bool)
    kept[axis.places[:, pruned].flatten()] = False
    if axis.dim is None:
        return kept.view(shape)
    return kept.view(*(-1 if dim == axis.dim else 1 for dim in range(len(shape))))


def _part(name: str) -> str:
    """Return the modules of a group without layer numbers, as the log names it."""
    *modules, _ = name.split(".")
    return ".".join(part for part in modules if not part.isdigit())
