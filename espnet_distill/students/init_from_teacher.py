"""Initialize a student with its teacher's most important units."""

from typing import NamedTuple

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
from espnet_distill.structure.layer_stacks import (
    depths,
    keep_layers,
    keep_recurrent_layers,
    spread_evenly,
)
from espnet_distill.structure.residual import (
    has_positions,
    nearest_frequencies,
    with_position_readers,
)
from espnet_distill.structure.slicing import State, slice_groups
from espnet_distill.structure.statistics.calibration import Calibration
from espnet_distill.structure.statistics.importance import Importance, Random, magnitude
from espnet_distill.students.find_groups import groups_of
from espnet_distill.students.size_search import Sizes


class Initialized(NamedTuple):
    """A student's weights.

    Attributes:
        state: The student's state dict.
        untouched: Names of the tensors that keep the student's initialization.
    """

    state: State
    untouched: list[str]


def drop_layers(teacher: nn.Module, student: nn.Module) -> None:
    """Remove layers of a teacher down to its student's depths, in place.

    A plain ``nn.Sequential``, such as an embedding before a positional encoding, is one
    layer of unlike modules.

    The layers that stay are evenly spaced, with the first and the last; of torch's
    recurrent layers they are the first, since each has inputs of its own width.

    Raises:
        ConfigError: A stack of the student is deeper than its teacher's.
    """
    student_depths = depths(student.state_dict())
    layers = {}
    for stack, depth in depths(teacher.state_dict()).items():
        if type(teacher.get_submodule(stack)) is nn.Sequential:
            continue
        if student_depths.get(stack, depth) > depth:
            raise ConfigError(
                f"{stack}: {student_depths[stack]} layers in the student, {depth} in "
                "its teacher; a student cannot be deeper"
            )
        if student_depths.get(stack, depth) < depth:
            _require_layers_alike(teacher, stack, student_depths[stack])
            layers[stack] = spread_evenly(depth, student_depths[stack])
    keep_layers(teacher, layers)
    keep_recurrent_layers(teacher, _recurrent_depths(teacher, student))


def _require_layers_alike(teacher: nn.Module, stack: str, depth: int) -> None:
    """Raise a ConfigError if one layer has to be both first and last, as of a postnet.

    The first layer of a postnet has mel bands as inputs, the last has them as outputs.
    """
    layers = teacher.get_submodule(stack)
    first, last = (
        next(weight for weight in layer.parameters() if weight.dim() > 1)
        for layer in (layers[0], layers[-1])
    )
    if depth == 1 and first.size(1) == last.size(0) != first.size(0):
        raise ConfigError(
            f"{stack}: 1 layer in the student: none of its teacher's has {len(last)} "
            "inputs and outputs; give none or 2 layers"
        )


def _recurrent_depths(teacher: nn.Module, student: nn.Module) -> dict[str, int]:
    """Return the student's depth of each of torch's recurrent modules of both.

    Raises:
        ConfigError: The student's is deeper than its teacher's.
    """
    modules = dict(student.named_modules())
    depth_of = {}
    for name, module in teacher.named_modules():
        slim = modules.get(name)
        if isinstance(module, nn.RNNBase) and isinstance(slim, nn.RNNBase):
            depth_of[name] = slim.num_layers
            if slim.num_layers > module.num_layers:
                raise ConfigError(
                    f"{name}: {slim.num_layers} layers in the student, "
                    f"{module.num_layers} in its teacher; a student cannot be deeper"
                )
    return depth_of


def narrow(
    teacher: nn.Module,
    student: nn.Module,
    groups: list[Group],
    importance: Importance = magnitude,
) -> Initialized:
    """Slice a student's weights from its teacher's.

    In a residual stream with positions, the channels that stay match the narrower
    positional encoding; in other groups they are the most important units. Attention
    is sliced by heads, and its queries are scaled so that the scores stay.

    Args:
        teacher: The wide model, of the student's depth, see :func:`drop_layers`.
        student: The narrow model, of the same class, after its initialization.
        groups: The teacher's groups, see ``groups_of``.
        importance: Criterion, a function of group and state that scores each unit.

    Returns:
        A state that the student loads strictly. Tensors without a counterpart of their
        shape in the teacher keep the student's initialization and are listed.

    Raises:
        ConfigError: A part of the student is wider than its teacher's.
    """
    kept = choose_units(teacher, student, groups, importance)
    return cut_out(teacher.state_dict(), kept, teacher, student)


def choose_units(
    teacher: nn.Module,
    student: nn.Module,
    groups: list[Group],
    importance: Importance = magnitude,
) -> list[tuple[Group, torch.Tensor]]:
    """Return the groups, and the units of each that stay; see :func:`narrow`."""
    shapes = {name: tensor.shape for name, tensor in student.state_dict().items()}
    state = teacher.state_dict()
    attentions = _attentions(teacher, student)
    kept = []
    for group in with_position_readers(groups, state):
        size = _student_size(group, shapes, state)
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
) -> Initialized:
    """Slice a student's weights from a teacher's state; see :func:`narrow`."""
    sliced = slice_groups(state, kept)
    for name, (wide, slim) in _attentions(teacher, student).items():
        scale_queries(sliced, name, wide.d_k, slim.d_k)
    return _fill_state(sliced, student)


def _student_size(group: Group, shapes: dict, state: State) -> int:
    """Return the number of a group's units in the student.

    An axis of several groups, before which they are concatenated, has no size of one.
    """
    for axis in group.axes:
        if axis.dim is None or axis.parameter not in shapes:
            continue
        if axis.places.numel() < state[axis.parameter].size(axis.dim):
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
    """Return the attention layers of both models, by name."""
    wide = dict(teacher.named_modules())
    return {
        name: (wide[name], module)
        for name, module in student.named_modules()
        if isinstance(module, MultiHeadedAttention) and name in wide
    }


def _attention_of(group: Group, attentions: dict[str, tuple]) -> tuple | None:
    """Return the attention layers whose channels are a group's units, or None."""
    for name, (wide, slim) in attentions.items():
        channels = wide.h * wide.d_k
        if group.size == channels and (f"{name}.linear_q.weight", 0) in group:
            return wide, slim
    return None


def _by_heads(scores: torch.Tensor, wide, slim) -> torch.Tensor:
    """Choose the heads of the highest scores, and the best channels of each."""
    if slim.h > wide.h or slim.d_k > wide.d_k:
        raise ConfigError(
            f"aheads: {slim.h} heads of {slim.d_k} channels cannot be cut out of the "
            f"teacher's {wide.h} of {wide.d_k}"
        )
    scores = scores.view(wide.h, wide.d_k)
    heads = scores.sum(1).topk(slim.h).indices.sort().values
    channels = scores[heads].topk(slim.d_k, dim=1).indices.sort(dim=1).values
    return (heads[:, None] * wide.d_k + channels).flatten()


def _fill_state(sliced: State, student: nn.Module) -> Initialized:
    """Return the student's state with the teacher's weights of the same shapes."""
    state, initialized = {}, []
    for name, initial in student.state_dict().items():
        weights = sliced.get(name)
        if weights is not None and _has_shape(weights, initial):
            state[name] = weights.reshape(initial.shape).clone()
        else:
            state[name] = initial.clone()
            initialized.append(name)
    return Initialized(state, initialized)


def _has_shape(weights: torch.Tensor, initial: torch.Tensor) -> bool:
    """Return True if weights have the shape of ``initial``, or are it flattened."""
    return weights.shape in (initial.shape, (initial.numel(),))


def initialize(
    student: AbsTTS,
    teacher: AbsTTS,
    sizes: Sizes,
    conf: dict,
    importance: str,
    calibration: Calibration | None,
) -> Initialized:
    """Initialize a student with its teacher's weights, in place.

    Args:
        student: The student, of the teacher's class.
        teacher: The teacher, whose layers are removed in place.
        sizes: The teacher's sizes.
        conf: The student's ``tts_conf``.
        importance: Criterion: "random", a key of ``FROM_ACTIVATIONS``, else magnitude.
        calibration: The teacher's calibration data, for ``FROM_ACTIVATIONS``.
    """
    drop_layers(teacher, student)
    if importance in FROM_ACTIVATIONS:
        score = FROM_ACTIVATIONS[importance](teacher, calibration)
    else:
        score = Random() if importance == "random" else magnitude
    groups = groups_of(teacher, lambda: sizes.config_dims_at_depth_of(conf))
    narrowed = narrow(teacher, student, groups, score)
    student.load_state_dict(narrowed.state)
    return narrowed
