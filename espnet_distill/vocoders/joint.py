"""The vocoder of a JointText2Wav in the format of this package's vocoders."""

import inspect

import torch
from espnet2.gan_tts.joint import JointText2Wav
from espnet2.layers.global_mvn import GlobalMVN

from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.statistics import applied_statistics
from espnet_distill.vocoders.distilled import GENERATOR, KEPT, STATISTICS
from espnet_distill.vocoders.generators.registry import build_generator

HIFIGAN = "hifigan_generator"


def vocoder_of_joint(joint: Experiment) -> tuple[dict, dict[str, torch.Tensor]]:
    """Return configuration and weights of the vocoder of a JointText2Wav.

    Args:
        joint: The trained model.

    Raises:
        ConfigError: Its vocoder is no HiFi-GAN, or its mels are not normalized by
            global statistics.
    """
    tts, conf = joint.model.tts, joint.config["tts_conf"]
    kind = conf.get("vocoder_type", HIFIGAN)
    if kind != HIFIGAN or conf.get("use_pqmf"):
        raise ConfigError(
            f"{joint}: tts_conf: vocoder_type: {kind}"
            f"{', use_pqmf' * bool(conf.get('use_pqmf'))}: only a {HIFIGAN} of one band "
            "can be extracted"
        )
    default = inspect.signature(JointText2Wav).parameters["vocoder_params"].default
    params = dict(conf.get("vocoder_params") or default)
    params.pop("in_channels", None)  # which ESPnet adds
    vocoder_conf = {"vocoder_type": kind, "vocoder_params": params}
    mels = MelSpec.of_extractor(joint.model.feats_extract)
    state = tts.generator["vocoder"].state_dict()
    build_generator(vocoder_conf, mels, f"{joint}: tts_conf").load_state_dict(state)
    weights = {f"{GENERATOR}{name}": tensor for name, tensor in state.items()}
    for name, values in zip(("mean", "std"), _normalization(joint)):
        weights[f"{STATISTICS}{name}"] = values
    kept = {key: joint.config[key] for key in KEPT if key in joint.config}
    return kept | {"tts": "vocoder", "tts_conf": vocoder_conf}, weights


def _normalization(joint: Experiment) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and standard deviation (n_mels,) that normalize the mels."""
    normalize = joint.model.normalize
    if normalize is None:
        size = joint.model.feats_extract.output_size()
        return torch.zeros(size), torch.ones(size)
    if not isinstance(normalize, GlobalMVN):
        raise ConfigError(
            f"{joint}: normalize: {joint.config['normalize']}: a vocoder of its own "
            "takes mels that global_mvn, or nothing, normalizes"
        )
    return applied_statistics(normalize)
