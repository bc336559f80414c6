"""Fold the units that go into those that stay, in the weights that read them.

What a reader makes of a unit that goes, it makes of the units that stay: their columns
take up the columns that go, mixed by a matrix that is the same at every tap of a
kernel. Producers are left alone; who merges masks or slices afterwards.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from espnet_distill.structure.coupling import Axis, Group
from espnet_distill.structure.moments import Moments
from espnet_distill.structure.producers import producers
from espnet_distill.structure.slicing import State

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
