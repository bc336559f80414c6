"""Remove the least important units of a trained experiment, in stock sizes."""

from collections.abc import Sequence
from pathlib import Path

import torch
from espnet2.tts.abs_tts import AbsTTS

from espnet_distill.data.calibration import read_calibration
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.pruning.allocation.config_widths import Widths
from espnet_distill.pruning.allocation.latency import latency_scales
from espnet_distill.pruning.post_training.text_to_wave import FACTORIZED
from espnet_distill.structure.groups import Group
from espnet_distill.structure.residual import is_attention, is_stream
from espnet_distill.structure.slicing import State
from espnet_distill.structure.statistics.calibration import Calibration
from espnet_distill.structure.statistics.importance import Wanda, magnitude
from espnet_distill.structure.unit_merging import format_results, merge_groups
from espnet_distill.students.derive import require_supported
from espnet_distill.students.find_groups import groups_of, outputs_of
from espnet_distill.students.infer_config import ConfigSpace
from espnet_distill.students.init_from_teacher import choose_units, cut_out


def prune_units(
    experiment: Experiment,
    pressure: float,
    data: str | Path | None = None,
    durations: str | Path | None = None,
    allocate_by: str = "params",
    merge: bool = False,
) -> Experiment:
    """Remove units, so that stock ESPnet loads the result.

    Args:
        experiment: The trained experiment.
        pressure: Share of the parameters to remove, above 0 and below 1.
        data: ESPnet data folder of the calibration data; None ranks units by the
            magnitude of their weights.
        durations: Frames per token of ``data``.
        allocate_by: ``params``, or ``latency`` to prune those widths more whose
            parameters take most time on this machine.
        merge: Fold the removed units into the remaining ones where possible.

    Raises:
        ConfigError: A class of model whose units cannot be removed, or a pressure that
            no widths reach.
    """
    conf = experiment.config
    if conf["tts"] in FACTORIZED:
        raise ConfigError(
            f"{experiment}: tts: {conf['tts']}: units of a VITS are not removed; add "
            "--low-rank, which factorizes its text encoder and flow"
        )
    require_supported(conf["tts"], experiment, "pruning of units")
    tts = experiment.model.tts
    calibration = read_calibration(experiment, data, durations) if data else None
    space = ConfigSpace(conf["tts"], conf["tts_conf"], tts.idim, tts.odim)
    groups = groups_of(tts, lambda: space.config_dims)
    widths = Widths(space, groups)
    scales = None
    if allocate_by == "latency":
        scales = latency_scales(space, widths.config_dims)
    sizes = widths.choose(pressure, scales)
    narrow = space.build(space.conf | sizes)
    importance = Wanda(tts, calibration) if calibration else magnitude
    kept = choose_units(tts, narrow, groups, importance)
    state, notes = tts.state_dict(), []
    if merge:
        state, notes = _merge_units(tts, kept, calibration)
    changed = [
        f"{key} {space.sizes.conf[key]} → {size}"
        for key, size in sizes.items()
        if size != space.sizes.conf[key]
    ]
    return experiment.with_model(
        space.name,
        space.conf | sizes,
        cut_out(state, kept, tts, narrow).state,
        notes=[*notes, f"Widths: {', '.join(changed)}."],
    )


def _merge_units(
    tts: AbsTTS,
    kept: Sequence[tuple[Group, torch.Tensor]],
    calibration: Calibration | None,
) -> tuple[State, list[str]]:
    """Fold removed units into kept ones, but in residual streams and attention."""
    chosen = [
        (group, units)
        for group, units in kept
        if len(units) < group.size and not (is_stream(group) or is_attention(group))
    ]
    state, saved = merge_groups(tts, chosen, outputs_of(tts), calibration)
    return state, format_results([group for group, _ in chosen], saved)
