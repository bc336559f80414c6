"""Remove the masked structure of a pruned experiment."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from espnet2.tts.abs_tts import AbsTTS

import espnet_distill
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import (
    find_experiment,
    load_experiment,
    read_config,
)
from espnet_distill.pruning.post_training.live_units import Kept, LiveUnits
from espnet_distill.pruning.post_training.pruned_model import (
    FEW,
    Original,
    PrunedModel,
    write_pruned,
)
from espnet_distill.structure.config_dims import shapes_of
from espnet_distill.structure.heads import BY_HEAD, scale_queries
from espnet_distill.structure.layer_norm import layer_norms, masked_layer_norm
from espnet_distill.structure.layer_stacks import keep_layers
from espnet_distill.structure.slicing import State, slice_groups
from espnet_distill.structure.zero_units import find_zero_layers, measure_sparsity
from espnet_distill.students.derive import SUPPORTED
from espnet_distill.students.infer_config import ConfigSpace
from espnet_distill.students.models.per_layer import (
    SUFFIX,
    attentions,
    require_whole_layers,
)
from espnet_distill.teachers.taps import require_taps
from espnet_distill.utils.files import require_new


def compact(
    experiment: str | Path,
    out: str | Path,
    *,
    stock_compatible: bool = False,
    data: str | Path | None = None,
    durations: str | Path | None = None,
) -> str:
    """Write a pruned experiment without its masked structure into a new folder.

    The folder gets ``config.yaml``, ``model.pth``, the statistics, and ``train.yaml``,
    a configuration that continues the training. The plugin is registered.

    Args:
        experiment: Pruned experiment: folder, ``.pth``, ``.zip`` or tag.
        out: The folder to make.
        stock_compatible: Give all layers the size of the widest and keep all heads,
            where stock ESPnet could not load the result otherwise.
        data: ESPnet data folder (``text``, ``wav.scp``) whose first utterances the
            outputs before and after are compared on; None compares them on one
            sentence of random tokens.
        durations: ESPnet durations file of ``data``: frames per token, for a model
            that is trained with durations.

    Returns:
        A Markdown report: parameters, file size (MB) and RTF before and after, the
        largest difference of the outputs, and the removed layers, units and heads.

    Raises:
        ConfigError: An experiment without masked structure, or data that the model
            cannot use. Nothing is written then.
    """
    out = Path(out)
    data, durations = (Path(path) if path else None for path in (data, durations))
    require_new(out)
    espnet_distill.register()
    config, checkpoint = find_experiment(experiment)
    conf = read_config(config)
    require_taps(conf["tts"], config)
    require_whole_layers(conf["tts_conf"], config)
    masked, names = load_experiment(config, checkpoint)
    whole, _ = load_experiment(config, checkpoint)
    zeros = measure_sparsity(whole.tts)
    rest = Remainder(conf["tts"], conf["tts_conf"], whole.tts.state_dict(), [])
    counting = 0
    if isinstance(whole.tts, SUPPORTED):
        counting = exclude_zero_units_from_norms(
            masked.tts, conf["tts"], conf["tts_conf"]
        )
        rest = remove_zero_units(
            whole.tts, conf["tts"], conf["tts_conf"], stock_compatible
        )
    if not rest.removed and zeros < FEW:
        raise ConfigError(
            f"{checkpoint}: nothing in it is masked; prune it first, by callbacks: or "
            "by espnet-distill prune"
        )
    report = write_pruned(
        out,
        PrunedModel(rest.name, rest.conf, rest.state),
        Original(config, checkpoint, masked, names),
        data=data,
        durations=durations,
    )
    removed = [f"Removed: {line}" for line in rest.removed]
    if not removed:
        removed = [
            f"No unit, head or layer is silent: {zeros:.1%} of the weights are zero, "
            "which saves space once compressed, and no time."
        ]
    if rest.name.endswith(SUFFIX):
        removed.append("--stock-compatible gives all layers one size.")
    if counting:
        removed.append(
            f"Compared with it as it was trained: {counting} layer normalisations did "
            "not count what was masked, which only the compacted model can say."
        )
    return "\n\n".join([*report, "\n".join(removed)])


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


def exclude_zero_units_from_norms(tts: AbsTTS, name: str, conf: dict) -> int:
    """Leave silent units out of what a model normalises over, as while it was pruned.

    Returns:
        How many normalisations have silent units.
    """
    speaking = LiveUnits(tts, ConfigSpace(name, conf, tts.idim, tts.odim))
    handles = [
        masked_layer_norm(norm, ~silent)
        for group, silent in speaking.groups
        if silent.any()
        for norm in layer_norms(tts, group)
    ]
    return len(handles)


def remove_zero_units(tts: AbsTTS, name: str, conf: dict, stock: bool) -> Remainder:
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
    described = ConfigSpace(before.name, conf, tts.idim, tts.odim)
    speaking = LiveUnits(tts, described)
    kept = speaking.kept()
    found = _described(tts, described, kept)
    if found[0] != described.name and (stock or _saves_little(tts, found[2])):
        kept = speaking.equal()
        found = _described(tts, described, kept)
    return Remainder(*found, [*removed, *_said(kept)])


def _layers(tts: AbsTTS) -> dict[str, list[int]]:
    """The silent layers of each stack, which keeps at least one layer."""
    found = find_zero_layers(tts)
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


def _described(tts, described: ConfigSpace, kept: Kept) -> tuple[str, dict, State]:
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
    name, conf = described.infer_config(shapes, heads)
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
        if count := left.count(0):
            yield f"{count} of {len(left)} heads of {path}"
        if count := widths[path] - max(left):
            yield f"{count} of {widths[path]} channels of each head of {path}"
