"""Which units of a model speak, and how many of each group are to stay for them."""

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
    """Groups of a model, and which of their units are silent."""

    def __init__(self, tts: AbsTTS, described: ConfigSpace):
        config_dims = [
            config_dim
            for config_dim in described.config_dims
            if not config_dim.is_depth
        ]
        self._axes = [
            config_dim.own_axes(described.shapes) for config_dim in config_dims
        ]
        groups = [
            g for g in groups_of(tts, lambda: described.config_dims) if g.size > 1
        ]
        groups = with_position_readers(groups, shapes_of(tts))
        self._groups = [group for group in groups if not is_attention(group)]
        self._silent = [find_zero_units(group, tts) for group in self._groups]
        self._attentions: list[range] = []
        both = (find(tts, groups) for find in (find_head_groups, find_channel_groups))
        for heads, channels in zip(*both):
            first = len(self._groups)
            self._attentions.append(range(first, first + heads.size))
            self._groups += channels
            self._silent += [
                _unwritten(group, tts) | head
                for group, head in zip(channels, find_zero_units(heads, tts))
            ]

    @property
    def groups(self) -> Iterator[tuple[Group, torch.Tensor]]:
        """Groups, and which of their units are silent."""
        return zip(self._groups, self._silent)

    def kept(self) -> Kept:
        """Groups and units that speak; residual streams of one, even, width.

        So are the heads of one attention, except those without a live channel.
        """
        speaking = [int((~silent).sum()) for silent in self._silent]
        streams = [n for n, g in zip(speaking, self._groups) if is_stream(g)]
        width = max(streams, default=0)
        counts = [
            width + width % 2 if is_stream(group) else max(number, 1)
            for number, group in zip(speaking, self._groups)
        ]
        for own in self._attentions:
            most = max(speaking[n] for n in own)
            for n in own:
                counts[n] = most if speaking[n] else 0
            if not most:
                counts[own[0]] = 1
        return self._filled(counts)

    def equal(self) -> Kept:
        """Groups and units, as many in all groups of a config dimension."""
        counts = [len(units) for _, units in self.kept()]
        for axes in self._axes:
            governed = [n for n, g in enumerate(self._groups) if _lies_on(axes, g)]
            whole = any(is_stream(self._groups[n]) for n in governed)
            most = max((counts[n] for n in governed), default=0)
            for n in governed:
                counts[n] = self._groups[n].size if whole else most
        return self._filled(counts)

    def _filled(self, counts: Sequence[int]) -> Kept:
        """So many units of each group, those that speak among them."""
        return [
            (group, (~silent).float().topk(count).indices.sort().values)
            for group, silent, count in zip(self._groups, self._silent, counts)
        ]


def _unwritten(channels: Group, tts: AbsTTS) -> torch.Tensor:
    """Tell which channels of a head nothing makes.

    One that nothing reads may still be of a query.
    """
    written = tuple(axis for axis in channels.axes if axis.dim != 1)
    return find_zero_units(replace(channels, axes=written), tts)


def _lies_on(axes: Collection[tuple[str, int]], group: Group) -> bool:
    return any(axis in group for axis in axes)
