"""The groups of a text-to-mel model, however they are to be found."""

from collections.abc import Callable, Sequence

from espnet2.tts.abs_tts import AbsTTS

from espnet_distill.structure.coupling import Group, can_be_traced, find_groups
from espnet_distill.structure.knobs import Knob
from espnet_distill.structure.tied import find_tied_groups
from espnet_distill.students.outputs import outputs_of


def groups_of(tts: AbsTTS, knobs: Callable[[], Sequence[Knob]]) -> list[Group]:
    """Return a model's groups: by the graph, or one a knob where none can be drawn.

    Args:
        tts: The model; from then on it records its taps.
        knobs: Gives the sizes of a model as deep; called only where there is no graph.
    """
    run = outputs_of(tts)
    if can_be_traced(tts):
        return find_groups(tts, run)
    return find_tied_groups(tts, knobs(), run)
