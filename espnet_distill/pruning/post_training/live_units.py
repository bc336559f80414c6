"""Live units, which are not all zero, and the number that each group keeps."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import torch
from espnet2.tts.abs_tts import AbsTTS

from espnet_distill.structure.config_dims import shapes_of
from espnet_distill.structure.groups import Group
from espnet_distill.structure.heads import find_channel_groups, find_head_groups
from espnet_distill.structure.residual import (
    is_attention,
    is_stream,
    with_position_readers,
)
from espnet_distill.structure.zero_units import find_zero_units
from espnet_distill.students.find_groups import groups_of
from espnet_distill.students.infer_config import ConfigSpace

Kept = Sequence[tuple[Group, torch.Tensor]]


class LiveUnits:
    """The pruning groups of a model, and the units of each that are all zero."""

    def __init__(self, tts: AbsTTS, space: ConfigSpace):
        config_dims = [
            config_dim for config_dim in space.config_dims if not config_dim.is_depth
        ]
        self._axes = [config_dim.own_axes(space.shapes) for config_dim in config_dims]
        groups = [g for g in groups_of(tts, lambda: space.config_dims) if g.size > 1]
        groups = with_position_readers(groups, shapes_of(tts))
        self._groups = [group for group in groups if not is_attention(group)]
        self._zero = [find_zero_units(group, tts) for group in self._groups]
        self._attentions: list[range] = []
        both = (find(tts, groups) for find in (find_head_groups, find_channel_groups))
        for heads, channels in zip(*both):
            first = len(self._groups)
            self._attentions.append(range(first, first + heads.size))
            self._groups += channels
            self._zero += [
                _unwritten(group, tts) | head
                for group, head in zip(channels, find_zero_units(heads, tts))
            ]

    @property
    def groups(self) -> Iterator[tuple[Group, torch.Tensor]]:
        """Yield groups, and a mask of each, (size,), True for zero units."""
        return zip(self._groups, self._zero)

    def kept(self) -> Kept:
        """Return groups and their live units.

        All residual streams keep the same, even number of channels, and so do all heads
        of an attention that have a live channel.
        """
        live = [int((~zero).sum()) for zero in self._zero]
        streams = [n for n, g in zip(live, self._groups) if is_stream(g)]
        width = max(streams, default=0)
        counts = [
            width + width % 2 if is_stream(group) else max(number, 1)
            for number, group in zip(live, self._groups)
        ]
        for heads in self._attentions:
            most = max(live[n] for n in heads)
            for n in heads:
                counts[n] = most if live[n] else 0
            if not most:
                counts[heads[0]] = 1
        return self._with_live_units(counts)

    def equal(self) -> Kept:
        """Return groups and units, equally many in all groups of a config dimension."""
        counts = [len(units) for _, units in self.kept()]
        for axes in self._axes:
            governed = [n for n, g in enumerate(self._groups) if _lies_on(axes, g)]
            is_residual = any(is_stream(self._groups[n]) for n in governed)
            most = max((counts[n] for n in governed), default=0)
            for n in governed:
                counts[n] = self._groups[n].size if is_residual else most
        return self._with_live_units(counts)

    def _with_live_units(self, counts: Sequence[int]) -> Kept:
        """Return the given number of units of each group, live units first."""
        return [
            (group, (~zero).float().topk(count).indices.sort().values)
            for group, zero, count in zip(self._groups, self._zero, counts)
        ]


def _unwritten(channels: Group, tts: AbsTTS) -> torch.Tensor:
    """Return a mask of the channels of a head whose producers are zero, (size,).

    A channel without readers may belong to the queries, so readers do not count.
    """
    written = tuple(axis for axis in channels.axes if axis.dim != 1)
    return find_zero_units(replace(channels, axes=written), tts)


def _lies_on(axes: Collection[tuple[str, int]], group: Group) -> bool:
    return any(axis in group for axis in axes)
