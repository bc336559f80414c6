"""What turns mels into waveforms; the keys are their names in YAML."""

import inspect
from collections.abc import Mapping

import torch
from espnet2.gan_tts.hifigan import HiFiGANGenerator

from espnet_distill.errors import ConfigError, Faults, in_one_line, near
from espnet_distill.mel_spec import MelSpec
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
    except (ArithmeticError, AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{where}.vocoder_params: no {kind} can be built: {in_one_line(error)}"
        ) from error
    if generator.upsample_factor != mels.hop_length:
        raise ConfigError(
            f"{where}.vocoder_params: this {kind} makes {generator.upsample_factor} "
            f"samples a frame, but feats_extract_conf.hop_length is {mels.hop_length}"
        )
    return generator


def ready_to_speak(generator: torch.nn.Module) -> torch.nn.Module:
    """Leave out of a generator what only its training needs, weight normalisation."""
    if hasattr(generator, "remove_weight_norm"):
        generator.remove_weight_norm()
    return generator.eval()


def _read(conf: Mapping, where: str) -> tuple[str, Mapping]:
    kind, params = conf.get("vocoder_type"), conf.get("vocoder_params") or {}
    if kind not in GENERATORS:
        raise ConfigError(f"{where}.vocoder_type: {kind!r}; {near(kind, GENERATORS)}")
    known = inspect.signature(GENERATORS[kind]).parameters.keys() - FROM_MELS.keys()
    with Faults() as faults:
        faults.lines += [
            f"{where}: no key {key!r}; {near(key, KEYS)}"
            for key in conf
            if key not in KEYS
        ]
        faults.lines += [
            f"{where}.vocoder_params: {kind} has no key {key!r}; {near(key, known)}"
            for key in params
            if key not in known
        ]
    return kind, params
