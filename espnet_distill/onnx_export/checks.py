"""What a voice can be made of."""

from pathlib import Path

import torch
from espnet2.layers.global_mvn import GlobalMVN

import espnet_distill
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.onnx_export.acoustic import MODULES, FastSpeechModule
from espnet_distill.pruning.post_training.live_units import LiveUnits
from espnet_distill.structure.zero_units import find_zero_layers, measure_sparsity
from espnet_distill.students.infer_config import ConfigSpace
from espnet_distill.vocoders.build import is_none
from espnet_distill.vocoders.checkpoint_formats import find_checkpoint

FEW = 0.01  # sparsity that a model may have without being pruned
INPUTS = {"use_gst": "style tokens", "spk_embed_dim": "x-vectors"}


def require_supported(experiment: Experiment) -> type[FastSpeechModule]:
    """Return the inference module of an experiment's model.

    Raises:
        ConfigError: A model that cannot be exported.
    """
    from espnet2.tasks.tts import tts_choices

    espnet_distill.register()
    name, conf = experiment.config["tts"], experiment.config.get("tts_conf") or {}
    kind = tts_choices.classes.get(name)
    modules = [
        module
        for base, module in MODULES.items()
        if isinstance(kind, type) and issubclass(kind, base)
    ]
    if not modules:
        raise ConfigError(
            f"{experiment}: tts: {name} cannot be exported; fastspeech2, fastspeech and "
            "this package's variants of them can"
        )
    for key, what in INPUTS.items():
        if conf.get(key):
            raise ConfigError(
                f"{experiment}: tts_conf.{key}: a model of {what} takes an input that no "
                "client has; train one with speaker ids"
            )
    return modules[0]


def require_vocoder(vocoder: str | Path | None) -> str:
    """Return a vocoder's checkpoint.

    Raises:
        ConfigError: There is none, which selects Griffin-Lim.
    """
    if is_none(vocoder):
        raise ConfigError(
            "--vocoder: none: Griffin-Lim cannot be exported; name a vocoder's "
            "checkpoint or experiment folder"
        )
    return find_checkpoint(str(vocoder), "--vocoder")


def require_compacted(experiment: Experiment) -> None:
    """Raise a ConfigError if a model has masked structure."""
    tts = experiment.model.tts
    if measure_sparsity(tts) < FEW:
        return
    name, conf = experiment.config["tts"], experiment.config["tts_conf"]
    live = LiveUnits(tts, ConfigSpace(name, conf, tts.idim, tts.odim))
    has_zero_layers = any(find_zero_layers(tts).values())
    if has_zero_layers or any(zero.any() for _, zero in live.groups):
        raise ConfigError(
            f"{experiment.checkpoint}: has masked units; run espnet-distill compact "
            "first, and export its result"
        )


def require_conditions(tts, language_id: int | None, where) -> dict[str, torch.Tensor]:
    """Return the first speaker and the language, for models that take them.

    Raises:
        ConfigError: A model of several languages, and none of its ids.
    """
    conditions = {}
    if tts.spks is not None:
        conditions["sids"] = torch.tensor([0])
    if tts.langs is not None:
        if language_id is None or not 0 <= language_id < tts.langs:
            raise ConfigError(
                f"{where}: tts_conf.langs: a voice has one of its {tts.langs} languages; "
                f"give --language-id, from 0 to {tts.langs - 1}"
            )
        conditions["lids"] = torch.tensor([language_id])
    return conditions


def statistics_of(model, where) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Return mean and deviation of the log-mels, None if they are not normalized.

    Raises:
        ConfigError: A normalization without an inverse.
    """
    normalize = model.normalize
    if normalize is None:
        return None
    if not isinstance(normalize, GlobalMVN):
        raise ConfigError(
            f"{where}: normalize: {type(normalize).__name__} has no inverse; train with "
            "global_mvn"
        )
    mean, std = normalize.mean.float(), normalize.std.float()
    return (
        mean if normalize.norm_means else torch.zeros_like(mean),
        std if normalize.norm_vars else torch.ones_like(std),
    )
