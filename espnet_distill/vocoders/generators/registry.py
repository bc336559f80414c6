"""Registry of the generators: YAML names to classes."""

import inspect
from collections.abc import Mapping

import torch

from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.errors import ConfigError, ErrorCollector, summarize
from espnet_distill.utils.config_values import as_mapping, one_of, require_known
from espnet_distill.vocoders.generators.base import Generator, HiFiGAN
from espnet_distill.vocoders.generators.conditioned import ConditionedGenerator
from espnet_distill.vocoders.generators.harmonic_istft import HarmonicISTFTGenerator
from espnet_distill.vocoders.generators.istft import ISTFTGenerator
from espnet_distill.vocoders.generators.multiband_istft import MultibandISTFTGenerator
from espnet_distill.vocoders.latents import LatentSpec

GENERATORS: dict[str, type[Generator]] = {
    "istft_generator": ISTFTGenerator,
    "harmonic_istft_generator": HarmonicISTFTGenerator,
    "multiband_istft_generator": MultibandISTFTGenerator,
    "hifigan_generator": HiFiGAN,
}


KEYS = ("vocoder_type", "vocoder_params", "latents")


# Arguments of generators that come from the settings of its input.
FROM_INPUT = {"in_channels": "channels", "hop_length": "hop_length", "fs": "fs"}


def build_generator(
    conf: Mapping, inputs: MelSpec | LatentSpec, where: str = "tts_conf"
) -> Generator:
    """Build a generator, (B, channels, T) to (B, 1, T * hop length).

    Args:
        conf: `vocoder_type`, one of GENERATORS, and `vocoder_params`, its arguments
            without those in FROM_INPUT.
        inputs: The settings of its input, mels or latents. With global conditioning it
            is a ConditionedGenerator.
        where: Prefix of error messages.

    Raises:
        ConfigError: No such generator or argument, or samples a frame that differ from
            the hop length of the mels.
    """
    kind, params = _read(conf, where)
    keys = inspect.signature(GENERATORS[kind]).parameters.keys() & FROM_INPUT.keys()
    arguments = dict(params) | {key: getattr(inputs, FROM_INPUT[key]) for key in keys}
    try:
        generator = GENERATORS[kind](**arguments)
    except Exception as error:  # torch, vocos and ESPnet each raise their own
        raise ConfigError(
            f"{where}.vocoder_params: no {kind} can be built: {summarize(error)}"
        ) from error
    if generator.upsample_factor != inputs.hop_length:
        is_mel = isinstance(inputs, MelSpec)
        key = "feats_extract_conf.hop_length" if is_mel else "the latents' hop_length"
        raise ConfigError(
            f"{where}.vocoder_params: this {kind} makes {generator.upsample_factor} "
            f"samples a frame, but {key} is {inputs.hop_length}"
        )
    size = getattr(inputs, "condition_channels", 0)
    return ConditionedGenerator(generator, size) if size else generator


def arguments_of(conf: Mapping, where: str = "tts_conf") -> dict:
    """Return kind and arguments of a generator, with defaults where none are given.

    Args:
        conf: As `build_generator` takes it.
        where: Prefix of error messages.
    """
    kind, params = _read(conf, where)
    defaults = {
        name: one.default
        for name, one in inspect.signature(GENERATORS[kind]).parameters.items()
        if one.default is not one.empty and name not in FROM_INPUT
    }
    return {"vocoder_type": kind} | defaults | dict(params)


def prepare_inference(generator: torch.nn.Module) -> torch.nn.Module:
    """Remove the weight normalization and set the generator to eval mode."""
    if hasattr(generator, "remove_weight_norm"):
        generator.remove_weight_norm()
    return generator.eval()


def _read(conf: Mapping, where: str) -> tuple[str, Mapping]:
    as_mapping(conf, where)
    kind = one_of(conf.get("vocoder_type"), GENERATORS, f"{where}.vocoder_type")
    params = as_mapping(conf.get("vocoder_params") or {}, f"{where}.vocoder_params")
    known = inspect.signature(GENERATORS[kind]).parameters.keys() - FROM_INPUT.keys()
    with ErrorCollector() as faults:
        faults.check(require_known, conf, KEYS, f"{where}: ")
        faults.check(
            require_known, params, known, f"{where}.vocoder_params: {kind} has "
        )
    return kind, params
