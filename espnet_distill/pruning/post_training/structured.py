"""A trained experiment without the units that matter least, in stock sizes."""

import argparse
from collections.abc import Iterator, Sequence

import torch
from espnet2.tts.abs_tts import AbsTTS

from espnet_distill.data.calibration import calibration_losses
from espnet_distill.experiments.experiment import (
    find_experiment,
    load_experiment,
    read_config,
)
from espnet_distill.pruning.allocation.config_widths import Widths
from espnet_distill.pruning.allocation.latency import latency_scales
from espnet_distill.pruning.post_training.pruned_model import PrunedModel, write_pruned
from espnet_distill.structure.groups import Group
from espnet_distill.structure.residual import is_attention, is_stream
from espnet_distill.structure.slicing import State
from espnet_distill.structure.statistics.importance import Activation, magnitude
from espnet_distill.structure.unit_merging import merge_groups, tell
from espnet_distill.students.derive import require_supported
from espnet_distill.students.find_groups import groups_of, outputs_of
from espnet_distill.students.infer_config import ConfigSpace
from espnet_distill.students.init_from_teacher import choose_units, cut_out


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
        return args.data and calibration_losses(args.data, args.durations, model, names)

    heard = losses()
    described = ConfigSpace(conf["tts"], conf["tts_conf"], tts.idim, tts.odim)
    groups = groups_of(tts, lambda: described.config_dims)
    widths = Widths(described, groups)
    scales = None
    if args.objective == "latency":
        scales = latency_scales(described, widths.config_dims)
    sizes = widths.choose(args.pressure, scales)
    student = described.build(described.conf | sizes)
    importance = Activation(tts, heard) if heard else magnitude
    kept = choose_units(tts, student, groups, importance)
    state, said = tts.state_dict(), []
    if args.merge:
        state, said = _merged(tts, kept, losses())
    narrowed = cut_out(state, kept, tts, student)
    smaller = PrunedModel(described.name, described.conf | sizes, narrowed.state)
    written = write_pruned(args, (config, checkpoint), (whole, names), smaller)
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
