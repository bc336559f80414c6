"""What a voice can be made of."""

from collections.abc import Sequence
from pathlib import Path

import torch
from espnet2.layers.global_mvn import GlobalMVN

import espnet_distill
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.statistics import applied_statistics
from espnet_distill.experiments.text_to_wave import parameters
from espnet_distill.onnx_export.acoustic import FastSpeechModule, module_of
from espnet_distill.pruning.post_training.live_units import LiveUnits
from espnet_distill.structure.zero_units import find_zero_layers, measure_sparsity
from espnet_distill.students.infer_config import ConfigSpace
from espnet_distill.vocoders.build import is_none
from espnet_distill.vocoders.checkpoint_formats import find_checkpoint

FEW = 0.01  # sparsity that a model may have without being pruned


def require_supported(experiment: Experiment) -> type[FastSpeechModule]:
    """Return the inference module of an experiment's model.

    Raises:
        ConfigError: A model that cannot be exported.
    """
    from espnet2.tasks.tts import tts_choices

    espnet_distill.register()
    name, conf = experiment.config["tts"], experiment.config.get("tts_conf") or {}
    kind = tts_choices.classes.get(name)
    module = module_of(kind) if isinstance(kind, type) else None
    if module is None:
        raise ConfigError(
            f"{experiment}: tts: {name} cannot be exported; fastspeech2, fastspeech and "
            "this package's variants of them can"
        )
    if conf.get("use_gst"):
        raise ConfigError(
            f"{experiment}: tts_conf.use_gst: a model of style tokens takes an input "
            "that no client has; train one with speaker ids"
        )
    return module


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


def require_language(tts, language_id: int | None, where) -> dict[str, torch.Tensor]:
    """Return `lids`, for a model of several languages.

    Raises:
        ConfigError: A model of several languages, and none of its ids, or an id of a
            model of one.
    """
    if tts.langs is None:
        if language_id is not None:
            raise ConfigError(f"--language-id: {where} has one language; leave it out")
        return {}
    if language_id is None or not 0 <= language_id < tts.langs:
        raise ConfigError(
            f"{where}: tts_conf.langs: a voice has one of its {tts.langs} languages; "
            f"give --language-id, from 0 to {tts.langs - 1}"
        )
    return {"lids": torch.tensor([language_id])}


def require_names(experiment: Experiment, names: Sequence[str]) -> None:
    """Raise a ConfigError unless speakers are named of a model of their embeddings.

    Args:
        experiment: The model's.
        names: Those of --xvector.
    """
    takes_embeddings = parameters(experiment.config).get("spk_embed_dim")
    if takes_embeddings and not names:
        raise ConfigError(
            f"{experiment}: tts_conf.spk_embed_dim: no client has speaker embeddings; "
            "name speakers of the training set with --xvector, whose embeddings become "
            "constants"
        )
    if names and not takes_embeddings:
        raise ConfigError(
            f"--xvector: {experiment} has no speaker embeddings; leave it out"
        )


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
    return applied_statistics(normalize)
