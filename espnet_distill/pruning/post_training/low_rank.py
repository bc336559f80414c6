"""Factorize layers of a trained experiment to low rank."""

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from torch import nn

from espnet_distill.data.calibration import read_calibration
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.pruning.allocation.ranks import allocate_ranks, factorizable_layers
from espnet_distill.pruning.post_training.text_to_wave import (
    FACTORIZED,
    PARTS,
    calibration_of,
    files_of,
)
from espnet_distill.structure.low_rank import Factors
from espnet_distill.structure.slicing import State
from espnet_distill.structure.statistics.second_moments import second_moments
from espnet_distill.students.models.per_layer import SUFFIX
from espnet_distill.students.registry import VARIANTS
from espnet_distill.students.synthesis_only import synthesis_only


def prune_low_rank(
    experiment: Experiment,
    pressure: float,
    data: str | Path | None = None,
    durations: str | Path | None = None,
) -> Experiment:
    """Factorize the layers whose outputs lose least power.

    Args:
        experiment: The trained experiment.
        pressure: Share of the parameters to remove, above 0 and below 1.
        data: ESPnet data folder of the calibration data; with it, the factors are
            least-squares for the layers' inputs, without it, for white inputs.
        durations: Frames per token of ``data``.

    Of a VITS, text encoder and flow are factorized, and the pressure refers to the
    parameters that synthesize.

    Raises:
        ConfigError: A class of model without factorized variant, or a pressure that no
            ranks reach.
    """
    conf = experiment.config
    if conf["tts"] in FACTORIZED:
        return _prune_vits(experiment, pressure, data, durations)
    name = conf["tts"].removesuffix(SUFFIX) + SUFFIX
    if name not in VARIANTS:
        raise ConfigError(
            f"{experiment}: low rank does not support {conf['tts']}, only "
            + ", ".join(n.removesuffix(SUFFIX) for n in VARIANTS if n.endswith(SUFFIX))
            + ", vits"
        )
    tts, moments = experiment.model.tts, {}
    if data:
        weights = {f"{path}.weight" for path in factorizable_layers(tts)}
        calibration = read_calibration(experiment, data, durations)
        moments = second_moments(tts, calibration, weights)
    factors = allocate_ranks(tts, pressure, moments)
    ranks = {path: pair.first.size(0) for path, pair in factors.items()}
    before = conf["tts_conf"]
    return experiment.with_model(
        name,
        before | {"ranks": before.get("ranks", {}) | ranks},
        _factorized_state(tts, factors),
        notes=[_describe(factors, bool(moments))],
    )


def _prune_vits(
    vits: Experiment, pressure: float, data: str | Path | None, durations
) -> Experiment:
    """Factorize text encoder and flow of a VITS; see :func:`prune_low_rank`."""
    if durations:
        raise ConfigError(
            f"--durations: {vits.config['tts']} predicts its own; leave it out"
        )
    experiment, moments = synthesis_only(vits), {}
    tts, before = experiment.model.tts, experiment.config["tts_conf"]
    if data:
        weights = {f"{path}.weight" for path in factorizable_layers(tts, PARTS)}
        calibration = calibration_of(experiment, Path(data))
        moments = second_moments(tts, calibration, weights)
    factors = allocate_ranks(tts, pressure, moments, PARTS)
    ranks = {path: pair.first.size(0) for path, pair in factors.items()}
    return experiment.with_model(
        experiment.config["tts"],
        before | {"ranks": before.get("ranks", {}) | ranks},
        _factorized_state(tts, factors),
        training={},
        notes=[_describe(factors, bool(moments))],
        files=files_of(vits, pressure),
    )


def _factorized_state(tts: nn.Module, factors: Mapping[str, Factors]) -> State:
    """Return a model's weights with two factors in the place of each factorized one."""
    state = tts.state_dict()
    for path, pair in factors.items():
        del state[f"{path}.weight"]
        state[f"{path}.0.weight"], state[f"{path}.1.weight"] = pair.first, pair.second
        if f"{path}.bias" in state:
            state[f"{path}.1.bias"] = state.pop(f"{path}.bias")
    return state


def _describe(factors: Mapping[str, Factors], is_calibrated: bool) -> str:
    """Return the number of factorized layers, their ranks and their mean error."""
    if not factors:
        return "0 layers factorized."
    ranks = [pair.first.size(0) for pair in factors.values()]
    lost, plain = (
        fmean(getattr(pair, name) ** 2 for pair in factors.values())
        for name in ("error", "plain_error")
    )
    line = f"{len(factors)} layers factorized, of ranks {min(ranks)} to {max(ranks)}; "
    if is_calibrated:
        return line + f"lost output power {lost:.1%}, by weights alone {plain:.1%}."
    return line + f"lost output power {lost:.1%} for white inputs."
