"""Merge units that are removed into units that stay."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from espnet_distill.structure.groups import Axis, Group
from espnet_distill.structure.homogeneity import is_homogeneous, producers
from espnet_distill.structure.slicing import State, mask_groups
from espnet_distill.structure.statistics.second_moments import Moments, moments_of

RIDGES = torch.logspace(-6, 1, 29)  # of the mean power of the units that stay


LEAST_SQUARES = "least squares"


NEURON_MERGING = "neuron merging"


@dataclass(frozen=True)
class Saved:
    """Errors of what a group's readers make of it.

    Each is the root of E|ΔW x|² / E|W x|², summed over the readers and, one by one,
    over the taps of a kernel. With moments it is that on the data they come from;
    without, an estimate for white input and a rectifier.

    Attributes:
        removed: With the units removed; NaN where they were not merged.
        merged: With the units merged; NaN where they were not.
        how: "least squares", "neuron merging", or why they were not merged.
    """

    removed: float
    merged: float
    how: str

    @property
    def is_merged(self) -> bool:
        """Tell whether the units were merged."""
        return self.how in (LEAST_SQUARES, NEURON_MERGING)

    @classmethod
    def none(cls, reason: str) -> "Saved":
        """Make what is known of a group that cannot be merged."""
        return cls(math.nan, math.nan, reason)


@dataclass(frozen=True)
class _Reader:
    """One that reads a group's units.

    Attributes:
        axis: Where.
        columns: Its weights by unit, (outputs · taps, size).
        moments: Of what it reads.
        mixing: What of the units that stay stands for each unit, (size, kept).
    """

    axis: Axis
    columns: torch.Tensor
    moments: Moments
    mixing: torch.Tensor


def merge(
    state: Mapping[str, torch.Tensor],
    group: Group,
    kept: torch.Tensor,
    moments: Mapping[str, Moments] | None = None,
) -> tuple[State, Saved]:
    """Fold the units of a group that go into those that stay.

    With moments, each reader gets the least squares of all units on those that stay, at
    its own input and about zero; nothing is assumed of the activation. Behind a layer
    normalisation it counts that this is over fewer units later: it fits a model whose
    units are sliced away, not one where they are masked. A constant in the readers'
    biases was tried and made a FastSpeech2 worse on speech that had not been heard:
    with units gone in every layer, further ones no longer meet the means they had.

    Without, Neuron Merging (Kim et al., NeurIPS 2020): each unit goes into the kept one
    whose producing weights, bias included, have the greatest cosine with its own,
    scaled by the ratio of their norms. That is for groups that are positively
    homogeneous, see ``is_homogeneous``.

    Args:
        state: A model's state dictionary.
        group: The group.
        kept: Its units that stay, (kept,).
        moments: What ``moments_of`` heard of this group with these units kept.

    Returns:
        The changed tensors, at full size, and the errors; no tensors where ``how`` says
        why nothing was merged.
    """
    kept = kept.cpu()
    if moments is None:
        return _by_similarity(state, group, kept)
    return _by_least_squares(state, group, kept, moments)


def _by_least_squares(state, group, kept, moments) -> tuple[State, Saved]:
    readers = []
    for axis in group.axes:
        if axis.dim == 1 and axis.parameter in moments:
            heard = moments[axis.parameter]
            mixing = _least_squares(heard, kept)
            readers.append(_Reader(axis, _columns(state, axis), heard, mixing))
    if not readers:
        return {}, Saved.none("what their readers get cannot be told")
    return _fold(state, readers, kept, LEAST_SQUARES)


def _by_similarity(state, group, kept) -> tuple[State, Saved]:
    rows = _rows(state, group)
    if rows is None:
        return {}, Saved.none("more than one weight and its bias make their units")
    mixing, moments = _nearest(rows, kept), _rectified(rows, kept)
    readers = [
        _Reader(axis, _columns(state, axis), moments, mixing)
        for axis in group.axes
        if axis.dim == 1
    ]
    return _fold(state, readers, kept, NEURON_MERGING)


def _rows(state: Mapping, group: Group) -> torch.Tensor | None:
    """Weights and bias that make each unit, (size, inputs)."""
    made = [state[axis.parameter][axis.places[0]] for axis in producers(state, group)]
    if not made:
        return None
    return torch.cat([part.double().reshape(group.size, -1) for part in made], 1)


def _columns(state: Mapping, axis: Axis) -> torch.Tensor:
    """Weights of a reader by unit, (outputs · taps, size)."""
    weight = state[axis.parameter]
    columns = weight.index_select(1, axis.places[0].to(weight.device))
    return columns.movedim(1, -1).flatten(0, -2).double()


def _least_squares(moments: Moments, kept: torch.Tensor) -> torch.Tensor:
    """Mixing of the least squares, with a ridge towards removal.

    Whatever reads the units, that is no worse than removal where it was heard. The ridge
    is that of the least generalised cross-validation (Golub, Heath and Wahba,
    Technometrics 1979): few positions for many units tell little of other speech.
    """
    before, cross, after = moments.before, moments.cross, moments.after
    plain = torch.eye(len(before)).to(before)[:, kept]
    rest = cross - after @ plain.T
    power = before.trace() - (cross[:, kept] + rest[:, kept]).trace()
    values, vectors = torch.linalg.eigh(after)
    values, told = values.clamp(min=0), vectors.T @ rest
    ridge = _ridge(values, told.square().sum(1), power, moments.positions)
    return plain + (vectors @ (told / (values + ridge)[:, None])).T


def _ridge(values, told, power, positions: float) -> torch.Tensor:
    """The ridge by generalised cross-validation.

    Args:
        values: Eigenvalues of what stays, (kept,).
        told: Squares of what each eigenvector tells of the rest, (kept,).
        power: Of the rest.
        positions: How many were heard.
    """
    smallest = torch.finfo(values.dtype).tiny
    mean = (values.sum() / max(len(values), 1)).clamp(min=smallest)
    ridges = RIDGES.to(values)[:, None] * mean
    held = values + ridges
    left = power - (told * (held + ridges) / held.square()).sum(1)
    freedom = 1 - (values / held).sum(1) / positions
    scores = torch.where(freedom > 0, left.clamp(min=0) / freedom.square(), torch.inf)
    return ridges[scores.argmin(), 0]


def _nearest(rows: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Mixing by the greatest cosine of what makes the units."""
    mixing = torch.eye(len(rows)).to(rows)[:, kept]
    gone = ~mixing.any(1)
    if len(kept):
        norms, directions = rows.norm(dim=1), nn.functional.normalize(rows)
        nearest = (directions[gone] @ directions[kept].T).max(1).indices
        scales = norms[gone] / norms[kept[nearest]]
        one_each = nn.functional.one_hot(nearest, len(kept)).to(rows)
        mixing[gone] = one_each * scales.nan_to_num(0, 0)[:, None]
    return mixing


def _rectified(rows: torch.Tensor, kept: torch.Tensor) -> Moments:
    """Moments of max(0, W z) for white z (Cho & Saul, NeurIPS 2009)."""
    norms, directions = rows.norm(dim=1), nn.functional.normalize(rows)
    cosines = (directions @ directions.T).clamp(-1, 1)
    angles = torch.acos(cosines)
    kernel = torch.sin(angles) + (math.pi - angles) * cosines
    second = torch.outer(norms, norms) * kernel / (2 * math.pi)
    return Moments(second, second[kept], second[kept][:, kept])


def _fold(state, readers: list[_Reader], kept, how: str) -> tuple[State, Saved]:
    folded, errors = {}, torch.zeros(3, dtype=torch.double)
    for reader in readers:
        weight = state[reader.axis.parameter].clone()
        shape = (*weight.shape[:1], *weight.shape[2:], len(kept))
        columns = (reader.columns @ reader.mixing).view(shape).movedim(-1, 1)
        places = reader.axis.places[0][kept].to(weight.device)
        weight.index_copy_(1, places, columns.to(weight.dtype))
        folded[reader.axis.parameter] = weight
        errors += _powers(reader, kept)
    whole, removed, merged = errors.clamp(min=0).sqrt().tolist()
    whole = whole or math.nan
    return folded, Saved(removed / whole, merged / whole, how)


def _powers(reader: _Reader, kept: torch.Tensor) -> torch.Tensor:
    """E|W x|², and E|W x - V y|² with the units removed and merged, (3,)."""
    w, moments = reader.columns, reader.moments
    powers = [((w @ moments.before) * w).sum()]
    for v in (w[:, kept], w @ reader.mixing):
        lost = ((v @ moments.after) * v).sum() - 2 * ((v @ moments.cross) * w).sum()
        powers.append(powers[0] + lost)
    return torch.stack(powers).cpu()


SMOOTH = "no plain rectifier behind them: data would merge them"


def merge_groups(
    model: nn.Module,
    kept: Sequence[tuple[Group, torch.Tensor]],
    run: Callable,
    losses: Iterable | None = None,
) -> tuple[State, list[Saved]]:
    """Fold the units that go into those that stay, then put them to zero.

    Args:
        model: The model; it is left as it was.
        kept: Groups in module order, and the units of each that stay, (units,).
        run: As ``find_groups`` takes it.
        losses: Whatever makes the model run on batch after batch as it is drawn. With
            them the merging is by least squares; without, Neuron Merging of the groups
            behind which there is a rectifier or no activation.

    Returns:
        The model's state, masked as by ``mask_groups``, and what came of each group.
        Behind a layer normalisation only the sliced state is what was fitted.
    """
    moments = [None] * len(kept)
    if losses is not None:
        moments = moments_of(model, losses, kept)
    state, saved = dict(model.state_dict()), []
    for (group, units), heard in zip(kept, moments):
        if heard is None and not is_homogeneous(model, group, run):
            saved.append(Saved.none(SMOOTH))
        else:
            changed, errors = merge(state, group, units, heard)
            state |= changed
            saved.append(errors)
        state = mask_groups(state, [(group, units)])
    return state, saved


def tell(groups: Sequence[Group], saved: Sequence[Saved]) -> list[str]:
    """Return a line for each way of merging and for each reason against it."""
    lines = []
    for how in dict.fromkeys(errors.how for errors in saved):
        own = [pair for pair in zip(groups, saved) if pair[1].how == how]
        names = ", ".join(group.axes[0].parameter for group, _ in own)
        if own[0][1].is_merged:
            removed, merged = (
                sum(getattr(errors, kind) for _, errors in own) / len(own)
                for kind in ("removed", "merged")
            )
            lines.append(
                f"{len(own)} groups merged by {how}: mean error of what reads them "
                f"{merged:.3f}, {removed:.3f} if only removed"
            )
        else:
            lines.append(f"{len(own)} groups only removed ({how}): {names}")
    return lines
