"""Units of groups: feed-forward units, channels of convolutions, heads."""

from collections.abc import Callable
from itertools import chain

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from espnet_distill.errors import ConfigError
from espnet_distill.pruning.allocation.unit_counts import (
    ParameterCounter,
    allocate_units,
    least_counts,
    require_reach,
)
from espnet_distill.pruning.config import Options
from espnet_distill.pruning.criteria.base import Criterion, Parameters, finite_scores
from espnet_distill.pruning.masks.base import PruningMask, least, matching, shares_by
from espnet_distill.structure.config_dims import shapes_of
from espnet_distill.structure.groups import Group
from espnet_distill.structure.heads import find_channel_groups, find_head_groups
from espnet_distill.structure.layer_norm import layer_norms, masked_layer_norm
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
    """The units of a model's groups.

    Residual streams and attention are left alone unless they are included; attention
    then loses whole heads. With stock sizes it loses none, and what is inside the layers
    goes as the residual stream does: channels of every head, and of convolutions.

    Attributes:
        groups: By the axis, ``parameter:dim``, that a group's units lie in first, and
            by the place in it where that is not the axis' first.
    """

    groups: dict[str, Group]

    def __init__(
        self,
        model: nn.Module,
        parameters: Parameters,
        options: Options,
        find_groups: Callable[[nn.Module], list[Group]],
    ):
        """Choose the groups, and how many units each keeps.

        Raises:
            ConfigError: A pressure above what the floors allow, a name that matches
                nothing.
        """
        shapes = {name: tuple(p.shape) for name, p in parameters.items()}
        left_out = matching(options.exclude, parameters, "exclude")
        found = _included(model, find_groups(model), options)
        self.groups = {
            _name(group): group
            for group in found
            if not left_out.intersection(axis.parameter for axis in group.axes)
        }
        self.names = [
            name
            for name in parameters
            if any(a.parameter == name for g in self.groups.values() for a in g.axes)
        ]
        self._shapes = shapes
        self._remaining = ParameterCounter(list(self.groups.values()), shapes)
        self._pressure = options.pressure
        self._is_global = options.scope == "global"
        self._set_counts(options)
        self.kept = {
            name: torch.ones(group.size, dtype=torch.bool)
            for name, group in self.groups.items()
        }

    def _set_counts(self, options: Options) -> None:
        """How many units each group keeps at the end, or at least."""
        groups = list(self.groups.values())
        streams = [group for group in groups if is_stream(group)]
        if not self._is_global:
            tied = [
                is_stream(g)
                or is_style(g, streams)
                or options.stock
                and is_inside(g, streams)
                for g in groups
            ]
            how = options.pressure, options.floor
            counts = allocate_units(groups, self._shapes, *how, tied=tied)
        else:
            if streams:
                raise ConfigError("scope: the residual width is one; say layer")
            counts = least_counts([group.size for group in groups], options.floor)
            require_reach(self._remaining, counts, options.pressure, options.floor)
        self._last = dict(zip(self.groups, map(int, counts)))

    def choose(self, share: float, criterion: Criterion) -> None:
        scores = finite_scores(criterion)
        values = {
            name: criterion.of_units(group, scores).masked_fill(
                ~self.kept[name], -torch.inf
            )
            for name, group in self.groups.items()
        }
        if self._is_global:
            self._choose_in_all(values, share * self._pressure)
            return
        for name, own in values.items():
            self._keep_for_good(name, own)
            number = round(share * (len(own) - self._last[name]))
            self.kept[name] = ~least(own, number)

    def _keep_for_good(self, name: str, scores: torch.Tensor) -> None:
        """Let a residual stream end with channels whose positions are encoded alike."""
        if has_positions(self.groups[name]):
            scores[nearest_frequencies(len(scores), self._last[name])] = torch.inf

    def _choose_in_all(self, values: dict[str, torch.Tensor], pressure: float) -> None:
        """Mark the least of all units, until so much of the model is gone."""
        for name, own in values.items():
            own[own.topk(self._last[name]).indices] = torch.inf
        flat = torch.cat(list(values.values()))
        sizes = [len(own) for own in values.values()]
        target = (1 - pressure) * self._remaining.total

        def after(number: int) -> tuple[torch.Tensor, ...]:
            return (~least(flat, number)).split(sizes)

        def left(number: int) -> int:
            return self._remaining([int(mask.sum()) for mask in after(number)])

        low, high = 0, int(flat.isfinite().sum() + (flat == -torch.inf).sum())
        while low < high:  # the first number that leaves no more than is to stay
            middle = (low + high) // 2
            low, high = (low, middle) if left(middle) <= target else (middle + 1, high)
        if low and abs(left(low - 1) - target) < abs(left(low) - target):
            low -= 1
        for name, mask in zip(values, after(low)):
            self.kept[name] = mask

    def excess(self, kept: torch.Tensor, share: float) -> torch.Tensor:
        """Return by which share more is gone than is to be, with a gradient.

        Args:
            kept: How many units of each group stay on average, (groups,).
            share: How much is gone of what is to go at the end, from 0 to 1.

        Returns:
            Of the units of each group, (groups,); in a global scope, of the model's
            parameters, (1,).
        """
        if self._is_global:
            return (self.expected(kept) - share * self._pressure)[None]
        sizes = kept.new_tensor([group.size for group in self.groups.values()])
        last = kept.new_tensor(list(self._last.values()))
        return 1 - kept / sizes - share * (1 - last / sizes)

    def expected(self, kept: torch.Tensor) -> torch.Tensor:
        """Return the share of the parameters that is gone on average, see above."""
        return 1 - self._remaining.expected(kept) / self._remaining.total

    def multipliers(self) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = {}
        for name, group in self.groups.items():
            gone = ~self.kept[name]
            if not gone.any():
                continue
            for axis in group.axes:
                if axis.parameter in self._shapes:
                    own = _factor(axis, gone, self._shapes[axis.parameter])
                    found[axis.parameter] = found.get(axis.parameter, True) & own
        return found

    def count_kept(self, model: nn.Module) -> list[RemovableHandle]:
        return [
            masked_layer_norm(norm, self.kept[name])
            for name, group in self.groups.items()
            if not self.kept[name].all()
            for norm in layer_norms(model, group)
        ]

    def num_pruned(self) -> int:
        counts = [int(mask.sum()) for mask in self.kept.values()]
        return self._remaining.total - self._remaining(counts)

    def shares(self) -> dict[str, float]:
        return shares_by({name: _part(name) for name in self.kept}, self.kept)


def _name(group: Group) -> str:
    """Where a group's units lie first; the place tells the heads of a layer apart."""
    first = group.axes[0]
    place = int(first.places[0, 0])
    return f"{first.parameter}:{first.dim}" + (f":{place}" if place else "")


def _included(model: nn.Module, groups: list[Group], options: Options) -> list[Group]:
    """The groups of more than one unit that may lose some.

    Style tokens go as the residual width does, or not at all.
    """
    goes_residual = "residual" in options.include
    if goes_residual:
        groups = with_position_readers(groups, shapes_of(model))
    streams = [group for group in groups if is_stream(group)]
    found = [group for group in groups if group.size > 1 and not is_attention(group)]
    channels = list(chain.from_iterable(find_channel_groups(model, groups)))
    if goes_residual:
        found += [group for group in channels if is_style(group, streams)]
    else:
        found = [g for g in found if not (is_stream(g) or is_style(g, streams))]
    if "heads" in options.include:
        heads = find_head_groups(model, groups)
        found += [group for group in heads if not is_style(group, streams)]
    if options.stock and goes_residual:
        found += [group for group in channels if is_inside(group, streams)]
    elif options.stock:
        found = [group for group in found if not is_inside(group, streams)]
    return found


def _factor(axis, gone: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """What is kept along an axis, as it broadcasts over the parameter."""
    length = shape[axis.dim] if axis.dim is not None else torch.Size(shape).numel()
    kept = torch.ones(length, dtype=torch.bool)
    kept[axis.places[:, gone].flatten()] = False
    if axis.dim is None:
        return kept.view(shape)
    return kept.view(*(-1 if dim == axis.dim else 1 for dim in range(len(shape))))


def _part(name: str) -> str:
    """What a group's units are called in the log: where they are, in every layer."""
    *modules, _ = name.split(".")
    return ".".join(part for part in modules if not part.isdigit())
