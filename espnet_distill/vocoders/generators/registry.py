"""The generators by their names in YAML."""

import inspect
from collections.abc import Mapping

import torch
from espnet2.gan_tts.hifigan import HiFiGANGenerator

from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.errors import ConfigError, ErrorCollector, summarize
from espnet_distill.utils.config_values import as_mapping, one_of, require_known
from espnet_distill.vocoders.generators.harmonic_istft import HarmonicISTFTGenerator
from espnet_distill.vocoders.generators.istft import ISTFTGenerator
from espnet_distill.vocoders.generators.multiband_istft import MultibandISTFTGenerator

GENERATORS: dict[str, type[torch.nn.Module]] = {
    "istft_generator": ISTFTGenerator,
    "harmonic_istft_generator": HarmonicISTFTGenerator,
    "multiband_istft_generator": MultibandISTFTGenerator,
    "hifigan_generator": HiFiGANGenerator,
}


KEYS = ("vocoder_type", "vocoder_params")


FROM_MELS = {"in_channels": "n_mels", "hop_length": "hop_length", "fs": "fs"}


def build_generator(
    conf: Mapping, mels: MelSpec, where: str = "tts_conf"
) -> torch.nn.Module:
    """Build a generator, (B, n_mels, T) to (B, 1, T * hop length).

    Args:
        conf: `vocoder_type`, one of GENERATORS, and `vocoder_params`, its arguments
            without those that the mels say.
        mels: What it reads.
        where: What a message starts with.

    Raises:
        ConfigError: No such generator or argument, or one that makes another number
            of samples a frame than the mels have.
    """
    kind, params = _read(conf, where)
    asked = inspect.signature(GENERATORS[kind]).parameters.keys() & FROM_MELS.keys()
    given = dict(params) | {key: getattr(mels, FROM_MELS[key]) for key in asked}
    try:
        generator = GENERATORS[kind](**given)
    except Exception as error:  # torch, vocos and ESPnet each raise their own
        raise ConfigError(
            f"{where}.vocoder_params: no {kind} can be built: {summarize(error)}"
        ) from error
    if generator.upsample_factor != mels.hop_length:
        raise ConfigError(
            f"{where}.vocoder_params: this {kind} makes {generator.upsample_factor} "
            f"samples a frame, but feats_extract_conf.hop_length is {mels.hop_length}"
        )
    return generator


def prepare_inference(generator: torch.nn.Module) -> torch.nn.Module:
    """Leave out of a generator what only its training needs, weight normalisation."""
    if hasattr(generator, "remove_weight_norm"):
        generator.remove_weight_norm()
    return generator.eval()


def _read(conf: Mapping, where: str) -> tuple[str, Mapping]:
    as_mapping(conf, where)
    kind = one_of(conf.get("vocoder_type"), GENERATORS, f"{where}.vocoder_type")
    params = as_mapping(conf.get("vocoder_params") or {}, f"{where}.vocoder_params")
    known = inspect.signature(GENERATORS[kind]).parameters.keys() - FROM_MELS.keys()
    with ErrorCollector() as faults:
        faults.check(require_known, conf, KEYS, f"{where}: ")
        faults.check(
            require_known, params, known, f"{where}.vocoder_params: {kind} has "
        )
    return kind, params
