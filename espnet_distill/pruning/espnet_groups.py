"""Find the pruning groups of an ESPnet TTS model, for callbacks."""

import dataclasses
from collections.abc import Mapping

import torch
from espnet2.tts.abs_tts import AbsTTS
from espnet2.tts.espnet_model import ESPnetTTSModel

from espnet_distill.errors import ConfigError
from espnet_distill.structure.config_dims import shapes_of
from espnet_distill.structure.groups import Group
from espnet_distill.students import find_groups as students_groups
from espnet_distill.students.derive import SUPPORTED
from espnet_distill.students.models.per_layer import require_no_ranks
from espnet_distill.students.size_search import Sizes


def groups_of(model: ESPnetTTSModel, tts_conf: Mapping) -> list[Group]:
    """Return the pruning groups of a model's `tts`, with the whole model's names.

    Groups are found in a copy, so that the model and the random state do not change.

    Args:
        model: The model in training.
        tts_conf: The arguments that its `tts` was built with.

    Raises:
        ConfigError: The model was built with other arguments, or its class is not
            supported.
    """
    tts = model.tts
    require_units(type(tts))
    require_no_ranks(tts_conf, "callbacks")
    with torch.random.fork_rng():
        copy = type(tts)(idim=tts.idim, odim=tts.odim, **tts_conf).eval()
        if shapes_of(copy) != shapes_of(tts):
            raise ConfigError("tts_conf: describes another model than what trains")
        groups = students_groups.groups_of(
            copy, lambda: Sizes(type(tts), tts.idim, tts.odim, tts_conf).config_dims
        )
    return [_with_prefix(group, "tts") for group in groups]


def require_units(kind: type[AbsTTS]) -> None:
    """Raise a ConfigError unless unit pruning supports a class of models."""
    if not issubclass(kind, SUPPORTED):
        names = ", ".join(known.__name__ for known in SUPPORTED)
        raise ConfigError(
            f"granularity: structured supports {names} and their variants, not "
            f"{kind.__name__}; use unstructured"
        )


def _with_prefix(group: Group, prefix: str) -> Group:
    axes = (
        dataclasses.replace(axis, parameter=f"{prefix}.{axis.parameter}")
        for axis in group.axes
    )
    return dataclasses.replace(group, axes=tuple(axes))
