"""Initialize a student with its teacher's most important units."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from espnet2.legacy.nets.pytorch_backend.transformer.attention import (
    MultiHeadedAttention,
)
from espnet2.tts.abs_tts import AbsTTS
from torch import nn

from espnet_distill.data.calibration import FROM_ACTIVATIONS
from espnet_distill.errors import ConfigError
from espnet_distill.structure.groups import Group
from espnet_distill.structure.heads import scale_queries
from espnet_distill.structure.layer_stacks import depths, keep_layers, spread_evenly
from espnet_distill.structure.residual import (
    has_positions,
    nearest_frequencies,
    with_position_readers,
)
from espnet_distill.structure.slicing import State, slice_groups
from espnet_distill.structure.statistics.importance import Importance, Random, magnitude
from espnet_distill.students.find_groups import groups_of
from espnet_distill.students.size_search import Sizes


@dataclass(frozen=True)
class Narrowed:
    """Weights for a student, and the names of those that are not its teacher's."""

    state: State
    own: list[str]


def drop_layers(teacher: nn.Module, student: nn.Module) -> None:
    """Leave a teacher as many layers as its student has, in place.

    They are spread evenly over the teacher's, first and last among them.

    Raises:
        ConfigError: A student that is deeper than its teacher somewhere.
    """
    wanted = depths(student.state_dict())
    layers = {}
    for stack, depth in depths(teacher.state_dict()).items():
        if wanted.get(stack, depth) > depth:
            raise ConfigError(
                f"{stack}: {wanted[stack]} layers in the student, {depth} in its "
                "teacher; a student cannot be deeper"
            )
        if wanted.get(stack, depth) < depth:
            layers[stack] = spread_evenly(depth, wanted[stack])
    keep_layers(teacher, layers)


def narrow(
    teacher: nn.Module,
    student: nn.Module,
    groups: list[Group],
    importance: Importance = magnitude,
) -> Narrowed:
    """Cut a student's weights out of its teacher's.

    Of the residual stream those channels stay whose positions are encoded alike, of all
    else the units that matter most; attention is kept head by head, its queries scaled
    so that the scores stay what they were.

    Args:
        teacher: The wide model, as deep as its student, see :func:`drop_layers`.
        student: The narrow one, of the same class, as it was initialised.
        groups: The teacher's, of ``groups_of``.
        importance: Group and state → a score a unit.

    Returns:
        A state that the student loads strictly; what has no counterpart of its shape
        in the teacher keeps the student's own initialisation and is named.

    Raises:
        ConfigError: A student that is wider than the teacher somewhere.
    """
    kept = choose_units(teacher, student, groups, importance)
    return cut_out(teacher.state_dict(), kept, teacher, student)


def choose_units(
    teacher: nn.Module,
    student: nn.Module,
    groups: list[Group],
    importance: Importance = magnitude,
) -> list[tuple[Group, torch.Tensor]]:
    """Return groups and the units of each that a student keeps; see :func:`narrow`."""
    shapes = {name: tensor.shape for name, tensor in student.state_dict().items()}
    state = teacher.state_dict()
    attentions = _attentions(teacher, student)
    kept = []
    for group in with_position_readers(groups, state):
        size = _wanted_size(group, shapes)
        attention = _attention_of(group, attentions)
        if attention:
            units = _by_heads(importance(group, state), *attention)
        elif has_positions(group):
            units = nearest_frequencies(group.size, size)
        else:
            units = importance(group, state).topk(size).indices.sort().values
        kept.append((group, units))
    return kept


def cut_out(
    state: State,
    kept: list[tuple[Group, torch.Tensor]],
    teacher: nn.Module,
    student: nn.Module,
) -> Narrowed:
    """Take a student's weights out of a teacher's state; see :func:`narrow`."""
    sliced = slice_groups(state, kept)
    for name, (wide, slim) in _attentions(teacher, student).items():
        scale_queries(sliced, name, wide.d_k, slim.d_k)
    return _fitted(sliced, student)


def _wanted_size(group: Group, shapes: dict) -> int:
    """Units that the student has where the group lies."""
    for axis in group.axes:
        if axis.dim is None or axis.parameter not in shapes:
            continue
        size = shapes[axis.parameter][axis.dim] // len(axis.places)
        if size > group.size:
            raise ConfigError(
                f"{axis.parameter}: {size} units in the student, {group.size} in its "
                "teacher; a student cannot be wider"
            )
        return size
    return group.size


def _attentions(teacher: nn.Module, student: nn.Module) -> dict[str, tuple]:
    """Attention layers of both, by name."""
    wide = dict(teacher.named_modules())
    return {
        name: (wide[name], module)
        for name, module in student.named_modules()
        if isinstance(module, MultiHeadedAttention) and name in wide
    }


def _attention_of(group: Group, attentions: dict[str, tuple]) -> tuple | None:
    for name, pair in attentions.items():
        channels = pair[0].h * pair[0].d_k
        if group.size == channels and (f"{name}.linear_q.weight", 0) in group:
            return pair
    return None


def _by_heads(scores: torch.Tensor, wide, slim) -> torch.Tensor:
    """Choose the best heads, and in each the best of its channels."""
    if slim.h > wide.h or slim.d_k > wide.d_k:
        raise ConfigError(
            f"aheads: {slim.h} heads of {slim.d_k} channels cannot be cut out of the "
            f"teacher's {wide.h} of {wide.d_k}"
        )
    scores = scores.view(wide.h, wide.d_k)
    heads = scores.sum(1).topk(slim.h).indices.sort().values
    channels = scores[heads].topk(slim.d_k, dim=1).indices.sort(dim=1).values
    return (heads[:, None] * wide.d_k + channels).flatten()


def _fitted(sliced: State, student: nn.Module) -> Narrowed:
    """The student's state, with the teacher's weights wherever they fit."""
    state, own = {}, []
    for name, initial in student.state_dict().items():
        weights = sliced.get(name)
        if weights is not None and _is_of_shape(weights, initial):
            state[name] = weights.reshape(initial.shape).clone()
        else:
            state[name] = initial.clone()
            own.append(name)
    return Narrowed(state, own)


def _is_of_shape(weights: torch.Tensor, initial: torch.Tensor) -> bool:
    """Tell whether weights are of a shape, or flattened what is."""
    return weights.shape in (initial.shape, (initial.numel(),))


def initialise(
    student: AbsTTS,
    teacher: AbsTTS,
    sizes: Sizes,
    conf: dict,
    importance: str,
    losses: Iterator[torch.Tensor] | None,
) -> Narrowed:
    """Give a student its teacher's weights, in place.

    Args:
        student: Of the teacher's class, narrower.
        teacher: Loses layers.
        sizes: The teacher's.
        conf: The student's ``tts_conf``.
        importance: magnitude, activation, taylor or random.
        losses: The teacher's loss on batch after batch, for activation and taylor.
    """
    drop_layers(teacher, student)
    if importance in FROM_ACTIVATIONS:
        score = FROM_ACTIVATIONS[importance](teacher, losses)
    else:
        score = Random() if importance == "random" else magnitude
    groups = groups_of(teacher, lambda: sizes.config_dims_at_depth_of(conf))
    narrowed = narrow(teacher, student, groups, score)
    student.load_state_dict(narrowed.state)
    return narrowed
