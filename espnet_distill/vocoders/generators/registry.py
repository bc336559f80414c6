"""Registry of the generators: YAML names to classes."""

import inspect
from collections.abc import Mapping

import torch

from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.errors import ConfigError, ErrorCollector, summarize
from espnet_distill.utils.config_values import as_mapping, one_of, require_known
from espnet_distill.vocoders.generators.base import Generator, HiFiGAN
from espnet_distill.vocoders.generators.harmonic_istft import HarmonicISTFTGenerator
from espnet_distill.vocoders.generators.istft import ISTFTGenerator
from espnet_distill.vocoders.generators.multiband_istft import MultibandISTFTGenerator

GENERATORS: dict[str, type[Generator]] = {
    "istft_generator": ISTFTGenerator,
    "harmonic_istft_generator": HarmonicISTFTGenerator,
    "multiband_istft_generator": MultibandISTFTGenerator,
    "hifigan_generator": HiFiGAN,
}


KEYS = ("vocoder_type", "vocoder_params")


# Arguments of generators that come from the mel settings.
FROM_MELS = {"in_channels": "n_mels", "hop_length": "hop_length", "fs": "fs"}


def build_generator(conf: Mapping, mels: MelSpec, where: str = "tts_conf") -> Generator:
    """Build a generator, (B, n_mels, T) to (B, 1, T * hop length).

    Args:
        conf: `vocoder_type`, one of GENERATORS, and `vocoder_params`, its arguments
            without those in FROM_MELS.
        mels: The settings of its input.
        where: Prefix of error messages.

    Raises:
        ConfigError: No such generator or argument, or samples a frame that differ from
            the hop length of the mels.
    """
    kind, params = _read(conf, where)
    keys = inspect.signature(GENERATORS[kind]).parameters.keys() & FROM_MELS.keys()
    arguments = dict(params) | {key: getattr(mels, FROM_MELS[key]) for key in keys}
    try:
        generator = GENERATORS[kind](**arguments)
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
    """Remove the weight normalization and set the generator to eval mode."""
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
