"""A trained experiment whose layers are two of low rank where that loses little."""

import argparse
from collections.abc import Mapping
from statistics import fmean

from torch import nn

from espnet_distill.data.calibration import calibration_losses
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import (
    find_experiment,
    load_experiment,
    read_config,
)
from espnet_distill.pruning.allocation.ranks import allocate_ranks, factorisable
from espnet_distill.pruning.post_training.pruned_model import PrunedModel, write_pruned
from espnet_distill.structure.low_rank import Factors
from espnet_distill.structure.slicing import State
from espnet_distill.structure.statistics.second_moments import second_moments
from espnet_distill.students.models.per_layer import SUFFIX
from espnet_distill.students.registry import VARIANTS


def prune_low_rank(args: argparse.Namespace) -> str:
    """Write an experiment of so many parameters less into a new folder.

    Args:
        args: What ``espnet-distill prune --low-rank`` was given.

    Returns:
        What to print.

    Raises:
        ConfigError: A model without a class for it, or a pressure that no ranks reach.
    """
    config, checkpoint = find_experiment(args.experiment)
    conf = read_config(config)
    name = conf["tts"].removesuffix(SUFFIX) + SUFFIX
    if name not in VARIANTS:
        raise ConfigError(
            f"{config}: no low rank for {conf['tts']}; there is for "
            + ", ".join(n.removesuffix(SUFFIX) for n in VARIANTS if n.endswith(SUFFIX))
        )
    whole, names = load_experiment(config, checkpoint)
    tts, moments = whole.tts, {}
    if args.data:
        weights = {f"{path}.weight" for path in factorisable(tts)}
        losses = calibration_losses(args.data, args.durations, whole, names)
        moments = second_moments(tts, losses, weights)
    factors = allocate_ranks(tts, args.pressure, moments)
    ranks = {path: pair.first.size(0) for path, pair in factors.items()}
    before = conf["tts_conf"]
    told = before | {"ranks": before.get("ranks", {}) | ranks}
    smaller = PrunedModel(name, told, _with(tts, factors))
    written = write_pruned(args, (config, checkpoint), (whole, names), smaller)
    return "\n\n".join([*written, _said(factors, bool(moments))])


def _with(tts: nn.Module, factors: Mapping[str, Factors]) -> State:
    """A model's weights with two in the place of some."""
    state = tts.state_dict()
    for path, pair in factors.items():
        del state[f"{path}.weight"]
        state[f"{path}.0.weight"], state[f"{path}.1.weight"] = pair.first, pair.second
        if f"{path}.bias" in state:
            state[f"{path}.1.bias"] = state.pop(f"{path}.bias")
    return state


def _said(factors: Mapping[str, Factors], is_heard: bool) -> str:
    if not factors:
        return "No layer is two."
    ranks = [pair.first.size(0) for pair in factors.values()]
    lost, plain = (
        fmean(getattr(pair, name) ** 2 for pair in factors.values())
        for name in ("error", "plain_error")
    )
    line = f"{len(factors)} layers are two, of ranks {min(ranks)} to {max(ranks)}; "
    if is_heard:
        return line + f"they lose {lost:.1%} of their outputs' power, not {plain:.1%}."
    return line + f"they lose {lost:.1%} of their outputs' power for white inputs."
