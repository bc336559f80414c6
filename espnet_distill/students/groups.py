"""The groups of a text-to-mel model, however they are to be found."""

from collections.abc import Callable, Sequence

from espnet2.tts.abs_tts import AbsTTS

from espnet_distill.structure.coupling import (
    Group,
    can_be_traced,
    find_groups,
    without_gradients,
)
from espnet_distill.structure.knobs import Knob, Shapes, shapes_of
from espnet_distill.structure.tied import find_tied_groups
from espnet_distill.students.outputs import outputs_of

# What reads a recording for its style: recurrent, and beside the way from text to mel.
APART = ("gst.ref_enc",)


def groups_of(tts: AbsTTS, knobs: Callable[[], Sequence[Knob]]) -> list[Group]:
    """Return a model's groups: by the graph, or one a knob where none can be drawn.

    Args:
        tts: The model; from then on it records its taps.
        knobs: Gives the sizes of a model as deep; called only where there is no graph.
    """
    run = outputs_of(tts)
    modules = dict(tts.named_modules())
    apart = [modules[name] for name in APART if name in modules]
    if not can_be_traced(tts, apart):
        return find_tied_groups(tts, knobs(), run)
    with without_gradients(apart):
        groups = find_groups(tts, run)
    if apart:
        rest = _without_groups(knobs(), groups, shapes_of(tts))
        groups += find_tied_groups(tts, rest, run)
    return groups


def _without_groups(
    knobs: Sequence[Knob], groups: Sequence[Group], shapes: Shapes
) -> list[Knob]:
    """Widths that set the size of none of these groups."""
    return [
        knob
        for knob in knobs
        if not knob.is_depth
        and not any(axis in g for axis in knob.own_axes(shapes) for g in groups)
    ]
