"""Remove the masked structure of a pruned experiment."""

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path

from espnet2.tts.abs_tts import AbsTTS

import espnet_distill
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.pruning.post_training.live_units import Kept, LiveUnits
from espnet_distill.structure.config_dims import shapes_of
from espnet_distill.structure.heads import BY_HEAD, is_multi_head, scale_queries
from espnet_distill.structure.layer_norm import mask_layer_norms
from espnet_distill.structure.layer_stacks import keep_layers, skip_layers
from espnet_distill.structure.positions import mask_encodings
from espnet_distill.structure.slicing import State, slice_groups
from espnet_distill.structure.zero_units import find_zero_layers, measure_sparsity
from espnet_distill.students.derive import SUPPORTED
from espnet_distill.students.infer_config import ConfigSpace
from espnet_distill.students.models.per_layer import (
    SUFFIX,
    attentions,
    require_no_ranks,
)
from espnet_distill.teachers.taps import require_taps

FEW = 0.01  # sparsity that a model may have without being pruned


def compact(
    experiment: Experiment | str | Path, *, stock_compatible: bool = False
) -> Experiment:
    """Remove the masked structure of a pruned experiment.

    Args:
        experiment: Pruned experiment, or a folder, ``.pth``, ``.zip`` or tag of one.
        stock_compatible: Give all layers the size of the widest and keep all heads,
            where stock ESPnet could not load the result otherwise.

    Returns:
        The compacted experiment in memory; its ``notes`` name the removed layers, units
        and heads. Its ``origin`` normalizes over the units that are not masked, as
        during its training.

    Raises:
        ConfigError: An experiment without masked structure.
    """
    espnet_distill.register()
    experiment = Experiment.of(experiment)
    name, conf = experiment.config["tts"], experiment.config["tts_conf"]
    require_taps(name, experiment)
    require_no_ranks(conf, experiment)
    origin = experiment.clone()
    zeros = measure_sparsity(origin.model.tts)
    left, removed, count = (name, conf, origin.model.tts.state_dict()), [], 0
    if isinstance(origin.model.tts, SUPPORTED):
        count = exclude_zero_units(origin.model.tts, name, conf)
        *left, removed = remove_zero_units(
            experiment.build().tts, name, conf, stock_compatible
        )
    if not removed and zeros < FEW:
        raise ConfigError(
            f"{experiment.checkpoint}: nothing in it is masked; prune it first, by "
            "callbacks: or by espnet-distill prune"
        )
    return origin.with_model(*left, notes=_notes(left[0], removed, zeros, count))


def _notes(name: str, removed: list[str], zeros: float, count: int) -> Iterator[str]:
    """Yield the removed structure, and how stock ESPnet differs.

    Args:
        name: The choice of ``--tts`` of the compacted model.
        removed: The removed structure.
        zeros: Sparsity before.
        count: Number of normalizations that had masked units.
    """
    yield from (f"Removed: {line}" for line in removed)
    if not removed:
        yield (
            f"No unit, head or layer is masked: {zeros:.1%} of the weights are zero, "
            "which saves space once compressed, and no time."
        )
    if name.endswith(SUFFIX):
        yield "--stock-compatible gives all layers one size."
    if count:
        yield (
            f"Compared with the model as trained: {count} layer normalizations "
            "excluded masked units, which only the compacted model does at inference."
        )


LITTLE = 0.02  # of the parameters, which justifies no class of its own


QUERIES = ".linear_q.weight"


def exclude_zero_units(tts: AbsTTS, name: str, conf: dict) -> int:
    """Compute as without the masked units and layers, as during pruning, in place.

    Returns:
        Number of normalizations that have masked units.
    """
    live = LiveUnits(tts, ConfigSpace(name, conf, tts.idim, tts.odim))
    count = 0
    for group, zero in live.groups:
        if zero.any():
            count += len(mask_layer_norms(tts, group, ~zero))
            mask_encodings(tts, group, ~zero)
    skip_layers(tts, _layers(tts))
    return count


def remove_zero_units(
    tts: AbsTTS, name: str, conf: dict, stock: bool
) -> tuple[str, dict, State, list[str]]:
    """Remove masked layers, units and heads of a model.

    Args:
        tts: The model, whose masked layers are removed in place.
        name: Its choice of ``--tts``.
        conf: Its configuration.
        stock: Whether a stock configuration must describe the result: all layers then
            keep as many units as the widest, and heads and residual width stay. So they
            do if no class has the sizes that the mask leaves.

    Returns:
        The choice of ``--tts``, its configuration, its state, and a line for each
        removed part.

    Raises:
        ConfigError: Sizes that no class of ESPnet's or of this package's has.
    """
    before = ConfigSpace(name, conf, tts.idim, tts.odim)
    removed = []
    layers = _layers(tts)
    conf = before.without_layers(layers)
    for stack, removed_layers in layers.items():
        depth = len(tts.get_submodule(stack))
        count = len(removed_layers)
        removed.append(f"{count} of {depth} layers of {stack}: {removed_layers}")
        kept = [n for n in range(depth) if n not in removed_layers]
        keep_layers(tts, {stack: kept})
    space = ConfigSpace(before.name, conf, tts.idim, tts.odim)
    live = LiveUnits(tts, space)
    kept, found = live.kept(), None
    with contextlib.suppress(ConfigError):  # sizes that no class has
        found = _describe_kept(tts, space, kept)
    is_own = found and found[0] != space.name
    if not found or is_own and (stock or _saves_little(tts, found[2])):
        kept = live.equal()
        found = _describe_kept(tts, space, kept)
    return *found, [*removed, *_removed_units(kept)]


def _layers(tts: AbsTTS) -> dict[str, list[int]]:
    """Return the masked layers of each stack, which keeps at least one layer."""
    found = find_zero_layers(tts)
    for stack, numbers in found.items():
        if len(numbers) == len(tts.get_submodule(stack)):
            found[stack] = numbers[1:]
    return {stack: numbers for stack, numbers in found.items() if numbers}


def _saves_little(tts: AbsTTS, state: State) -> bool:
    """Return True if a state is nearly as large as a model's."""
    left, before = (
        sum(tensor.numel() for tensor in tensors.values())
        for tensors in (state, tts.state_dict())
    )
    return left > (1 - LITTLE) * before


def _describe_kept(tts, space: ConfigSpace, kept: Kept) -> tuple[str, dict, State]:
    state = slice_groups(tts.state_dict(), kept)
    heads = {}
    for path, numbers in _by_heads(kept).items():
        channels = [number for number in numbers if number]
        heads[path] = len(channels)
        scale_queries(state, path, tts.get_submodule(path).d_k, channels[0])
        for name in BY_HEAD:
            if (bias := f"{path}.{name}") in state:
                state[bias] = state[bias].view(len(channels), -1)
    _scale_tied_queries(state, tts, heads)
    shapes = {name: tuple(state[name].shape) for name in shapes_of(tts)}
    named = attentions(tts)
    heads = {path: number for path, number in heads.items() if path in named}
    name, conf = space.infer_config(shapes, heads)
    return name, conf, state


def _scale_tied_queries(state: State, tts: AbsTTS, heads: Collection[str]) -> None:
    """Rescale the queries of narrower heads that other units are tied to, in place.

    In a model that cannot be traced, those are the style tokens'.

    Args:
        state: The sliced state.
        tts: The model before.
        heads: Attention layers whose queries are scaled already.
    """
    for path, module in tts.named_modules():
        if is_multi_head(module) and path not in heads:
            left = len(state[f"{path}.linear_q.weight"]) // module.h
            scale_queries(state, path, module.d_k, left)


def _by_heads(kept: Kept) -> dict[str, list[int]]:
    """Return the number of channels that each head keeps, by attention."""
    left: dict[str, list[int]] = {}
    for group, units in kept:
        name = group.axes[0].parameter
        if name.endswith(QUERIES):
            left.setdefault(name.removesuffix(QUERIES), []).append(len(units))
    return left


def _removed_units(kept: Kept) -> Iterator[str]:
    """Yield a line for each group with removed units."""
    widths = {}
    for group, units in kept:
        name = group.axes[0].parameter
        if name.endswith(QUERIES):
            widths[name.removesuffix(QUERIES)] = group.size
        elif len(units) < group.size:
            place = name.removesuffix(".weight")
            yield f"{group.size - len(units)} of {group.size} {place}"
    for path, left in _by_heads(kept).items():
        if count := left.count(0):
            yield f"{count} of {len(left)} heads of {path}"
        if count := widths[path] - max(left):
            yield f"{count} of {widths[path]} channels of each head of {path}"
