"""Merge the units of many groups, each as it can be, and tell how that went."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import nn

from espnet_distill.structure.coupling import Group
from espnet_distill.structure.homogeneity import is_homogeneous
from espnet_distill.structure.merging import Saved, merge
from espnet_distill.structure.moments import moments_of
from espnet_distill.structure.slicing import State, mask_groups

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
