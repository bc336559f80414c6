"""Take what is silent out of a model, and say what is left in a configuration."""

from collections.abc import Iterator
from dataclasses import dataclass

from espnet2.tts.abs_tts import AbsTTS

from espnet_distill.pruning.speaking import Kept, Speaking
from espnet_distill.structure.counting import count_only
from espnet_distill.structure.depth import keep_layers
from espnet_distill.structure.heads import BY_HEAD, scale_queries
from espnet_distill.structure.knobs import shapes_of
from espnet_distill.structure.renormalising import layer_norms
from espnet_distill.structure.silent import silent_layers
from espnet_distill.structure.slicing import State, slice_groups
from espnet_distill.students.reshaped import Described
from espnet_distill.students.sized import attentions

LITTLE = 0.02  # of the parameters, for which no class of its own is worth while
QUERIES = ".linear_q.weight"


@dataclass(frozen=True)
class Remainder:
    """A model without what was silent.

    Attributes:
        name: Its choice of ``--tts``.
        conf: Its configuration.
        state: Its weights.
        removed: What went, a line each; nothing if nothing was silent.
    """

    name: str
    conf: dict
    state: State
    removed: list[str]


def count_speaking(tts: AbsTTS, name: str, conf: dict) -> int:
    """Leave silent units out of what a model normalises over, as while it was pruned.

    Returns:
        How many normalisations have silent units.
    """
    speaking = Speaking(tts, Described(name, conf, tts.idim, tts.odim))
    handles = [
        count_only(norm, ~silent)
        for group, silent in speaking.groups
        if silent.any()
        for norm in layer_norms(tts, group)
    ]
    return len(handles)


def remove_silent(tts: AbsTTS, name: str, conf: dict, stock: bool) -> Remainder:
    """Take silent layers, units and heads out of a model.

    Args:
        tts: The model; it loses its layers.
        name: Its choice of ``--tts``.
        conf: Its configuration.
        stock: Whether a stock configuration must say the result: then all layers keep
            as many units as that which has most, and heads and residual width stay.

    Raises:
        ConfigError: Sizes that no class of ESPnet's or of this package's has.
    """
    before = Described(name, conf, tts.idim, tts.odim)
    removed = []
    layers = _layers(tts)
    conf = before.without_layers(layers)
    for stack, gone in layers.items():
        depth = len(tts.get_submodule(stack))
        removed.append(f"{len(gone)} of {depth} layers of {stack}: {gone}")
        kept = [n for n in range(depth) if n not in gone]
        keep_layers(tts, {stack: kept})
    described = Described(before.name, conf, tts.idim, tts.odim)
    speaking = Speaking(tts, described)
    kept = speaking.kept()
    found = _described(tts, described, kept)
    if found[0] != described.name and (stock or _saves_little(tts, found[2])):
        kept = speaking.equal()
        found = _described(tts, described, kept)
    return Remainder(*found, [*removed, *_said(kept)])


def _layers(tts: AbsTTS) -> dict[str, list[int]]:
    """The silent layers of each stack, which keeps at least one layer."""
    found = silent_layers(tts)
    for stack, numbers in found.items():
        if len(numbers) == len(tts.get_submodule(stack)):
            found[stack] = numbers[1:]
    return {stack: numbers for stack, numbers in found.items() if numbers}


def _saves_little(tts: AbsTTS, state: State) -> bool:
    """Tell whether a state is nearly as large as a model's."""
    left, before = (
        sum(tensor.numel() for tensor in tensors.values())
        for tensors in (state, tts.state_dict())
    )
    return left > (1 - LITTLE) * before


def _described(tts, described: Described, kept: Kept) -> tuple[str, dict, State]:
    state = slice_groups(tts.state_dict(), kept)
    heads = {}
    for path, numbers in _by_heads(kept).items():
        channels = [number for number in numbers if number]
        heads[path] = len(channels)
        scale_queries(state, path, tts.get_submodule(path).d_k, channels[0])
        for name in BY_HEAD:
            if (bias := f"{path}.{name}") in state:
                state[bias] = state[bias].view(len(channels), -1)
    shapes = {name: tuple(state[name].shape) for name in shapes_of(tts)}
    named = attentions(tts)
    heads = {path: number for path, number in heads.items() if path in named}
    name, conf = described.of_shapes(shapes, heads)
    return name, conf, state


def _by_heads(kept: Kept) -> dict[str, list[int]]:
    """How many channels each head of an attention keeps, by the attention's name."""
    left: dict[str, list[int]] = {}
    for group, units in kept:
        name = group.axes[0].parameter
        if name.endswith(QUERIES):
            left.setdefault(name.removesuffix(QUERIES), []).append(len(units))
    return left


def _said(kept: Kept) -> Iterator[str]:
    """What went, a line each."""
    widths = {}
    for group, units in kept:
        name = group.axes[0].parameter
        if name.endswith(QUERIES):
            widths[name.removesuffix(QUERIES)] = group.size
        elif len(units) < group.size:
            place = name.removesuffix(".weight")
            yield f"{group.size - len(units)} of {group.size} {place}"
    for path, left in _by_heads(kept).items():
        if gone := left.count(0):
            yield f"{gone} of {len(left)} heads of {path}"
        if gone := widths[path] - max(left):
            yield f"{gone} of {widths[path]} channels of each head of {path}"
