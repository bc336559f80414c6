"""A trained experiment without the units that matter least, in stock sizes."""

import argparse
from collections.abc import Iterator, Sequence

import torch
from espnet2.tts.abs_tts import AbsTTS

from espnet_distill.pruning.latency import latency_scales
from espnet_distill.pruning.smaller import Smaller, write_smaller
from espnet_distill.pruning.widths import Widths
from espnet_distill.structure.coupling import Group
from espnet_distill.structure.importance import Activation, magnitude
from espnet_distill.structure.merge_groups import merge_groups, tell
from espnet_distill.structure.slicing import State
from espnet_distill.structure.streams import is_attention, is_stream
from espnet_distill.students.experiment import require_supported
from espnet_distill.students.groups import groups_of
from espnet_distill.students.initial import losses_on
from espnet_distill.students.narrow import choose_units, cut_out
from espnet_distill.students.outputs import outputs_of
from espnet_distill.students.reshaped import Described
from espnet_distill.teachers.checkpoint import (
    find_experiment,
    load_experiment,
    read_config,
)


def prune(args: argparse.Namespace) -> str:
    """Write an experiment of so many parameters less into a new folder.

    Args:
        args: What ``espnet-distill prune`` was given.

    Returns:
        What to print.

    Raises:
        ConfigError: A model of another class, or a pressure that no widths reach.
    """
    config, checkpoint = find_experiment(args.experiment)
    conf = read_config(config)
    require_supported(conf["tts"], config, "units can be taken from")
    whole, names = load_experiment(config, checkpoint)
    model, _ = load_experiment(config, checkpoint)
    tts = model.tts

    def losses() -> Iterator | None:
        return args.data and losses_on(args.data, args.durations, model, names)

    heard = losses()
    described = Described(conf["tts"], conf["tts_conf"], tts.idim, tts.odim)
    groups = groups_of(tts, lambda: described.knobs)
    widths = Widths(described, groups)
    scales = None
    if args.objective == "latency":
        scales = latency_scales(described, widths.knobs)
    sizes = widths.choose(args.pressure, scales)
    student = described.build(described.conf | sizes)
    importance = Activation(tts, heard) if heard else magnitude
    kept = choose_units(tts, student, groups, importance)
    state, said = tts.state_dict(), []
    if args.merge:
        state, said = _merged(tts, kept, losses())
    narrowed = cut_out(state, kept, tts, student)
    smaller = Smaller(described.name, described.conf | sizes, narrowed.state)
    written = write_smaller(args, (config, checkpoint), (whole, names), smaller)
    changed = [
        f"{key} {described.sizes.conf[key]} → {size}"
        for key, size in sizes.items()
        if size != described.sizes.conf[key]
    ]
    said.append(f"Widths: {', '.join(changed)}.")
    return "\n\n".join([*written, "\n".join(said)])


def _merged(
    tts: AbsTTS,
    kept: Sequence[tuple[Group, torch.Tensor]],
    losses: Iterator | None,
) -> tuple[State, list[str]]:
    """Fold what goes into what stays; residual width and attention are only cut."""
    chosen = [
        (group, units)
        for group, units in kept
        if len(units) < group.size and not (is_stream(group) or is_attention(group))
    ]
    state, saved = merge_groups(tts, chosen, outputs_of(tts), losses)
    return state, tell([group for group, _ in chosen], saved)
