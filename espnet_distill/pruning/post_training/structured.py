"""Remove the least important units of a trained experiment, in stock sizes."""

from collections.abc import Iterator, Sequence
from pathlib import Path

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
from espnet_distill.pruning.post_training.pruned_model import (
    Original,
    PrunedModel,
    write_pruned,
)
from espnet_distill.structure.groups import Group
from espnet_distill.structure.residual import is_attention, is_stream
from espnet_distill.structure.slicing import State
from espnet_distill.structure.statistics.importance import Wanda, magnitude
from espnet_distill.structure.unit_merging import format_results, merge_groups
from espnet_distill.students.derive import require_supported
from espnet_distill.students.find_groups import groups_of, outputs_of
from espnet_distill.students.infer_config import ConfigSpace
from espnet_distill.students.init_from_teacher import choose_units, cut_out


def prune_units(
    experiment: str | Path,
    out: Path,
    *,
    pressure: float,
    allocate_by: str = "params",
    merge: bool = False,
    data: Path | None = None,
    durations: Path | None = None,
) -> str:
    """Write an experiment with fewer units into a new folder.

    Args:
        experiment: Experiment folder, ``.pth``, ``.zip`` or tag.
        out: The folder to make.
        pressure: Share of the parameters to remove, above 0 and below 1.
        allocate_by: ``params``, or ``latency`` to prune those widths more whose
            parameters take most time on this machine.
        merge: Fold the removed units into the remaining ones where possible.
        data: ESPnet data folder of the calibration data; None ranks units by the
            magnitude of their weights.
        durations: Frames per token of ``data``.

    Returns:
        A Markdown report, as of :func:`~.pruned_model.write_pruned`, and the widths.

    Raises:
        ConfigError: A class of model whose units cannot be removed, or a pressure that
            no widths reach.
    """
    config, checkpoint = find_experiment(experiment)
    conf = read_config(config)
    require_supported(conf["tts"], config, "units can be taken from")
    whole, names = load_experiment(config, checkpoint)
    model, _ = load_experiment(config, checkpoint)
    tts = model.tts

    def losses() -> Iterator | None:
        return data and calibration_losses(data, durations, model, names)

    calibration = losses()
    described = ConfigSpace(conf["tts"], conf["tts_conf"], tts.idim, tts.odim)
    groups = groups_of(tts, lambda: described.config_dims)
    widths = Widths(described, groups)
    scales = None
    if allocate_by == "latency":
        scales = latency_scales(described, widths.config_dims)
    sizes = widths.choose(pressure, scales)
    student = described.build(described.conf | sizes)
    importance = Wanda(tts, calibration) if calibration else magnitude
    kept = choose_units(tts, student, groups, importance)
    state, lines = tts.state_dict(), []
    if merge:
        state, lines = _merge_units(tts, kept, losses())
    narrowed = cut_out(state, kept, tts, student)
    report = write_pruned(
        out,
        PrunedModel(described.name, described.conf | sizes, narrowed.state),
        Original(config, checkpoint, whole, names),
        data=data,
        durations=durations,
    )
    changed = [
        f"{key} {described.sizes.conf[key]} → {size}"
        for key, size in sizes.items()
        if size != described.sizes.conf[key]
    ]
    lines.append(f"Widths: {', '.join(changed)}.")
    return "\n\n".join([*report, "\n".join(lines)])


def _merge_units(
    tts: AbsTTS,
    kept: Sequence[tuple[Group, torch.Tensor]],
    losses: Iterator | None,
) -> tuple[State, list[str]]:
    """Fold removed units into kept ones, but in residual streams and attention."""
    chosen = [
        (group, units)
        for group, units in kept
        if len(units) < group.size and not (is_stream(group) or is_attention(group))
    ]
    state, saved = merge_groups(tts, chosen, outputs_of(tts), losses)
    return state, format_results([group for group, _ in chosen], saved)
