"""Unit merging: fold removed units into the units that stay."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from espnet_distill.structure.groups import Axis, Group
from espnet_distill.structure.homogeneity import is_homogeneous, producers
from espnet_distill.structure.slicing import State, mask_groups
from espnet_distill.structure.statistics.calibration import Calibration
from espnet_distill.structure.statistics.second_moments import Moments, moments_of

RIDGES = torch.logspace(-6, 1, 29)  # relative to the mean power of the units that stay


LEAST_SQUARES = "least squares"


NEURON_MERGING = "neuron merging"


@dataclass(frozen=True)
class MergeResult:
    """Output errors of a group's readers, and the method of merging.

    An error is the square root of E|ΔW x|² / E|W x|², summed over the readers and over
    single taps of a kernel. With moments it is measured on their data; without, it is
    an estimate for white input and a rectifier.

    Attributes:
        removed: Error if the units are removed; NaN if they were not merged.
        merged: Error if the units are merged; NaN if they were not.
        how: "least squares", "neuron merging", or the reason against merging.
    """

    removed: float
    merged: float
    how: str

    @property
    def is_merged(self) -> bool:
        """Return True if the units were merged."""
        return self.how in (LEAST_SQUARES, NEURON_MERGING)

    @classmethod
    def none(cls, reason: str) -> "MergeResult":
        """Return the result for a group that cannot be merged."""
        return cls(math.nan, math.nan, reason)


@dataclass(frozen=True)
class _Reader:
    """A weight that reads a group's units.

    Attributes:
        axis: The group's axis on the weight.
        columns: The weights by unit, (outputs · taps, size).
        moments: Second moments of its input.
        mixing: Coefficients of the units that stay for each unit, (size, kept).
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
) -> tuple[State, MergeResult]:
    """Fold the removed units of a group into those that stay.

    With moments, all units are regressed on those that stay, without an intercept, by
    least squares at each reader's input; the activation may be any. After a layer
    normalization the fit is for the sliced model, which normalizes over fewer units,
    not for the masked one. An intercept in the readers' biases raised the errors of a
    FastSpeech2 on unseen speech: with units removed in every layer, the mean inputs of
    later layers change.

    Without moments, Neuron Merging (Kim et al., NeurIPS 2020): each unit is merged into
    the kept unit whose producing weights, bias included, have the greatest cosine
    similarity, scaled by the ratio of their norms. It requires positive homogeneity,
    see ``is_homogeneous``.

    Args:
        state: A model's state dictionary.
        group: The group.
        kept: Its units that stay, (kept,).
        moments: Result of ``moments_of`` for this group with these units kept.

    Returns:
        The changed tensors, at full size, and the result; no tensors if the units could
        not be merged.
    """
    kept = kept.cpu()
    if moments is None:
        return _by_similarity(state, group, kept)
    return _by_least_squares(state, group, kept, moments)


def _by_least_squares(state, group, kept, moments) -> tuple[State, MergeResult]:
    readers = []
    for axis in group.axes:
        if axis.dim == 1 and axis.parameter in moments:
            statistics = moments[axis.parameter]
            mixing = _least_squares(statistics, kept)
            readers.append(_Reader(axis, _columns(state, axis), statistics, mixing))
    if not readers:
        return {}, MergeResult.none("no observed input of their readers")
    return _fold(state, readers, kept, LEAST_SQUARES)


def _by_similarity(state, group, kept) -> tuple[State, MergeResult]:
    rows = _producing_rows(state, group)
    if rows is None:
        return {}, MergeResult.none("several weights compute their units")
    mixing, moments = _nearest_units(rows, kept), _rectified_moments(rows, kept)
    readers = [
        _Reader(axis, _columns(state, axis), moments, mixing)
        for axis in group.axes
        if axis.dim == 1
    ]
    return _fold(state, readers, kept, NEURON_MERGING)


def _producing_rows(state: Mapping, group: Group) -> torch.Tensor | None:
    """Return the weights and bias that compute each unit, (size, inputs)."""
    axes = producers(state, group)
    if not axes:
        return None
    parts = [state[axis.parameter][axis.places[0]] for axis in axes]
    return torch.cat([part.double().reshape(group.size, -1) for part in parts], 1)


def _columns(state: Mapping, axis: Axis) -> torch.Tensor:
    """Return the weights of a reader by unit, (outputs · taps, size)."""
    weight = state[axis.parameter]
    columns = weight.index_select(1, axis.places[0].to(weight.device))
    return columns.movedim(1, -1).flatten(0, -2).double()


def _least_squares(moments: Moments, kept: torch.Tensor) -> torch.Tensor:
    """Return the mixing by least squares, with a ridge towards removal, (size, kept).

    On the calibration data no reader's error exceeds that of removal. The ridge
    minimizes generalized cross-validation (Golub, Heath and Wahba, Technometrics 1979),
    since few positions for many units generalize poorly.
    """
    before, cross, after = moments.before, moments.cross, moments.after
    removal = torch.eye(len(before)).to(before)[:, kept]
    residual = cross - after @ removal.T
    power = before.trace() - (cross[:, kept] + residual[:, kept]).trace()
    values, vectors = torch.linalg.eigh(after)
    values, projections = values.clamp(min=0), vectors.T @ residual
    ridge = _ridge(values, projections.square().sum(1), power, moments.positions)
    return removal + (vectors @ (projections / (values + ridge)[:, None])).T


def _ridge(values, projections, power, positions: float) -> torch.Tensor:
    """Return the ridge of least generalized cross-validation.

    Args:
        values: Eigenvalues of the moments of the units that stay, (kept,).
        projections: Squared projections of the residual on the eigenvectors, (kept,).
        power: Power of the residual.
        positions: Number of observed positions.
    """
    smallest = torch.finfo(values.dtype).tiny
    mean = (values.sum() / max(len(values), 1)).clamp(min=smallest)
    ridges = RIDGES.to(values)[:, None] * mean
    shifted = values + ridges
    error = power - (projections * (shifted + ridges) / shifted.square()).sum(1)
    freedom = 1 - (values / shifted).sum(1) / positions
    scores = torch.where(freedom > 0, error.clamp(min=0) / freedom.square(), torch.inf)
    return ridges[scores.argmin(), 0]


def _nearest_units(rows: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Return the mixing by cosine similarity of the producing weights, (size, kept)."""
    mixing = torch.eye(len(rows)).to(rows)[:, kept]
    removed = ~mixing.any(1)
    if len(kept):
        norms, directions = rows.norm(dim=1), nn.functional.normalize(rows)
        nearest = (directions[removed] @ directions[kept].T).max(1).indices
        scales = norms[removed] / norms[kept[nearest]]
        one_hot = nn.functional.one_hot(nearest, len(kept)).to(rows)
        mixing[removed] = one_hot * scales.nan_to_num(0, 0)[:, None]
    return mixing


def _rectified_moments(rows: torch.Tensor, kept: torch.Tensor) -> Moments:
    """Return the moments of max(0, W z) for white z (Cho & Saul, NeurIPS 2009)."""
    norms, directions = rows.norm(dim=1), nn.functional.normalize(rows)
    cosines = (directions @ directions.T).clamp(-1, 1)
    angles = torch.acos(cosines)
    kernel = torch.sin(angles) + (math.pi - angles) * cosines
    second = torch.outer(norms, norms) * kernel / (2 * math.pi)
    return Moments(second, second[kept], second[kept][:, kept])


def _fold(state, readers: list[_Reader], kept, how: str) -> tuple[State, MergeResult]:
    """Fold each reader's columns by its mixing, and sum the readers' errors."""
    folded, errors = {}, torch.zeros(3, dtype=torch.double)
    for reader in readers:
        weight = state[reader.axis.parameter].clone()
        shape = (*weight.shape[:1], *weight.shape[2:], len(kept))
        columns = (reader.columns @ reader.mixing).view(shape).movedim(-1, 1)
        places = reader.axis.places[0][kept].to(weight.device)
        weight.index_copy_(1, places, columns.to(weight.dtype))
        folded[reader.axis.parameter] = weight
        errors += _error_powers(reader, kept)
    whole, removed, merged = errors.clamp(min=0).sqrt().tolist()
    whole = whole or math.nan
    return folded, MergeResult(removed / whole, merged / whole, how)


def _error_powers(reader: _Reader, kept: torch.Tensor) -> torch.Tensor:
    """Return E|W x|², and E|W x - V y|² for units removed and merged, (3,)."""
    w, moments = reader.columns, reader.moments
    powers = [((w @ moments.before) * w).sum()]
    for v in (w[:, kept], w @ reader.mixing):
        change = ((v @ moments.after) * v).sum() - 2 * ((v @ moments.cross) * w).sum()
        powers.append(powers[0] + change)
    return torch.stack(powers).cpu()


SMOOTH = "no rectifier follows: give --data to merge them by least squares"


def merge_groups(
    model: nn.Module,
    kept: Sequence[tuple[Group, torch.Tensor]],
    run: Callable,
    calibration: Calibration | None = None,
) -> tuple[State, list[MergeResult]]:
    """Fold removed units into those that stay, then set the removed ones to zero.

    Args:
        model: The model; it is not changed.
        kept: Groups in module order, and the units of each that stay, (units,).
        run: See ``find_groups``.
        calibration: The calibration data. With it, merging is by least squares;
            without, by Neuron Merging, for the groups followed by a rectifier or no
            activation.

    Returns:
        The model's state, masked as by ``mask_groups``, and each group's result. After
        a layer normalization the fit is exact only for the sliced state.
    """
    moments = [None] * len(kept)
    if calibration is not None:
        moments = moments_of(model, calibration, kept)
    state, results = dict(model.state_dict()), []
    for (group, units), statistics in zip(kept, moments):
        if statistics is None and not is_homogeneous(model, group, run):
            results.append(MergeResult.none(SMOOTH))
        else:
            changed, result = merge(state, group, units, statistics)
            state |= changed
            results.append(result)
        state = mask_groups(state, [(group, units)])
    return state, results


def format_results(
    groups: Sequence[Group], results: Sequence[MergeResult]
) -> list[str]:
    """Format a line for each method of merging and for each reason against it."""
    lines = []
    for how in dict.fromkeys(result.how for result in results):
        members = [item for item in zip(groups, results) if item[1].how == how]
        names = ", ".join(group.axes[0].parameter for group, _ in members)
        if members[0][1].is_merged:
            removed, merged = (
                sum(getattr(result, kind) for _, result in members) / len(members)
                for kind in ("removed", "merged")
            )
            lines.append(
                f"{len(members)} groups merged by {how}: mean error at their readers "
                f"{merged:.3f}, {removed:.3f} if removed"
            )
        else:
            lines.append(f"{len(members)} groups removed, not merged ({how}): {names}")
    return lines
