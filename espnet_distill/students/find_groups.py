"""Find the pruning groups of a TTS model."""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import torch
from espnet2.tts.abs_tts import AbsTTS

from espnet_distill.data.dummy_batch import dummy_batch
from espnet_distill.structure.config_dims import ConfigDim, Shapes, shapes_of
from espnet_distill.structure.groups import (
    Group,
    can_be_traced,
    find_groups,
    without_gradients,
)
from espnet_distill.structure.shape_groups import find_tied_groups
from espnet_distill.teachers.taps import TapRecorder

STOPS = ("stop_gradient_from_pitch_predictor", "stop_gradient_from_energy_predictor")


def outputs_of(tts: AbsTTS) -> Callable:
    """Return a function that runs a model on a dummy batch with autograd.

    It is the ``run`` of ``find_groups`` and returns the list of the model's outputs.
    Gradients pass into the predictors, whose inputs would otherwise be in no group. No
    input is zero, since weights on zeros have no gradient either, see ``shape_groups``.
    """
    recorder, batch = TapRecorder(tts), dummy_batch(tts)
    batch |= {
        name: torch.ones_like(x) for name, x in batch.items() if x.is_floating_point()
    }

    def run(model, _):
        with _without_stop_gradients(model):
            model(**batch)
        return [tap for tap in recorder.taps.tensors.values() if tap.requires_grad]

    return run


@contextlib.contextmanager
def _without_stop_gradients(tts: AbsTTS) -> Iterator[None]:
    """Disable the predictors' stop-gradients within the context."""
    stopped = {key: value for key, value in vars(tts).items() if key in STOPS}
    vars(tts).update(dict.fromkeys(stopped, False))
    try:
        yield
    finally:
        vars(tts).update(stopped)


# The reference encoder of style: recurrent, and outside of the path from text to mel.
APART = ("gst.ref_enc",)


def groups_of(
    tts: AbsTTS, config_dims: Callable[[], Sequence[ConfigDim]]
) -> list[Group]:
    """Return a model's groups: from the graph, else one for each config dimension.

    Args:
        tts: The model; from then on it records its taps.
        config_dims: Function that returns the config dimensions of a model of the same
            depth; called only if part of the model cannot be traced.
    """
    run = outputs_of(tts)
    modules = dict(tts.named_modules())
    apart = [modules[name] for name in APART if name in modules]
    if not can_be_traced(tts, apart):
        return find_tied_groups(tts, config_dims(), run)
    with without_gradients(apart):
        groups = find_groups(tts, run)
    if apart:
        rest = _without_groups(config_dims(), groups, shapes_of(tts))
        groups += find_tied_groups(tts, rest, run)
    return groups


def _without_groups(
    config_dims: Sequence[ConfigDim], groups: Sequence[Group], shapes: Shapes
) -> list[ConfigDim]:
    """Return the widths that set the size of none of these groups."""
    return [
        config_dim
        for config_dim in config_dims
        if not config_dim.is_depth
        and not any(axis in g for axis in config_dim.own_axes(shapes) for g in groups)
    ]
