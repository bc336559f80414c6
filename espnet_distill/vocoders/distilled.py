"""Distilled vocoders: checkpoints that this package has trained."""

import logging
from collections.abc import Iterator
from pathlib import Path

import torch

from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.errors import ConfigError, summarize
from espnet_distill.experiments.config import read_config
from espnet_distill.experiments.weights import load_weights
from espnet_distill.vocoders.generators.base import Generator
from espnet_distill.vocoders.generators.registry import (
    build_generator,
    prepare_inference,
)
from espnet_distill.vocoders.latents import LatentSpec, input_of

GENERATOR, STATISTICS = "tts.generator.", "normalize."


TRAINING = ("tts.discriminator.", "tts.updates", "tts.log_mels.", "tts.objectives.")


class DistilledVocoder(torch.nn.Module):
    """A generator and the statistics that normalize its input.

    Args:
        generator: (1, C, T) to (1, 1, T * hop length).
        inputs: The settings of its input, log-mels or latents.
        mean: Means of the input (C,).
        std: Standard deviations of the input (C,).
    """

    def __init__(
        self,
        generator: Generator,
        inputs: MelSpec | LatentSpec,
        mean: torch.Tensor,
        std: torch.Tensor,
    ):
        super().__init__()
        self.generator = generator
        self.inputs = inputs
        self.fs = inputs.fs
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    @torch.no_grad()
    def forward(self, feats: torch.Tensor) -> torch.Tensor:
        """Synthesize a waveform (T * hop length,) from mels or latents (T, C)."""
        return self.generator(self._normalize(feats)).view(-1).clamp(-1, 1)

    def _normalize(self, feats: torch.Tensor) -> torch.Tensor:
        return ((feats - self.mean) / self.std).t()[None]

    @property
    def in_channels(self) -> int:
        """Channels of the input."""
        return self.inputs.channels

    @property
    def takes_latents(self) -> bool:
        """Whether the input are latents, not mels."""
        return isinstance(self.inputs, LatentSpec)

    def require_mels(self, mels: MelSpec, vocoder_file) -> None:
        """Raise a ConfigError unless the input are mels with these settings."""
        if self.takes_latents:
            raise ConfigError(
                f"vocoder {vocoder_file}: takes the latents of a model, not mels; name "
                "a vocoder that was trained on mels"
            )
        self.inputs.require_fit(mels, vocoder_file)

    def require_statistics(self, mean: torch.Tensor, vocoder_file) -> None:
        """Compare the means of another model's output with those of the training.

        A mean distance above 0.1 standard deviations is a warning.

        Args:
            mean: Means of the other model's output (C,).
            vocoder_file: The checkpoint that messages name.

        Raises:
            ConfigError: A mean distance above 1 standard deviation.
        """
        kind = "latents" if self.takes_latents else "mels"
        distance = float(((mean - self.mean) / self.std).abs().mean())
        message = (
            f"vocoder {vocoder_file}: was trained for {kind} of other statistics; the "
            f"model's means are {distance:.2f} standard deviations off, on average"
        )
        if distance > 1:
            raise ConfigError(
                f"{message}: another speaker or loudness; distill a vocoder for it"
            )
        if distance > 0.1:
            logging.warning(message)

    @torch.no_grad()
    def stream(self, feats: torch.Tensor, chunk: int) -> Iterator[torch.Tensor]:
        """Yield the waveform of `forward` in pieces of `chunk` frames.

        Each piece is computed from its frames and `look_ahead` frames before and after,
        and equals that piece of the whole waveform, up to rounding.

        Raises:
            ConfigError: A chunk shorter than the look-ahead.
        """
        for wave in self.generator.stream(self._normalize(feats), chunk):
            yield wave.view(-1).clamp(-1, 1)

    @property
    def look_ahead(self) -> int:
        """Frames before and after a frame on which its samples depend."""
        return self.generator.look_ahead


def load_distilled(vocoder_file: Path, config: Path) -> DistilledVocoder:
    """Load a distilled vocoder strictly, without the parts that only training needs.

    Raises:
        ConfigError: Checkpoint or configuration are unreadable or do not fit, or the
            vocoder takes global conditioning.
    """
    inputs = input_of(read_config(config), f"{config}: ")
    if getattr(inputs, "condition_channels", 0):
        raise ConfigError(
            f"vocoder {vocoder_file}: takes the global conditioning of its teacher's "
            "decoder, too; put it into the teacher by espnet-distill replace-decoder"
        )
    generator, mean, std = load_generator(vocoder_file, config)
    return DistilledVocoder(generator, inputs, mean, std).eval()


def load_generator(
    vocoder_file: Path, config: Path
) -> tuple[Generator, torch.Tensor, torch.Tensor]:
    """Load a generator strictly, ready for inference, and mean and std of its input.

    Raises:
        ConfigError: Checkpoint or configuration are unreadable or do not fit.
    """
    conf = read_config(config)
    inputs = input_of(conf, f"{config}: ")
    generator = build_generator(conf["tts_conf"], inputs, f"{config}: tts_conf")
    state = weights_of(vocoder_file)
    statistics = [state.pop(f"{STATISTICS}{name}", None) for name in ("mean", "std")]
    if any(value is None for value in statistics):
        raise ConfigError(
            f"{vocoder_file}: has no {STATISTICS}mean and std of its input; name a "
            "checkpoint that the training has written"
        )
    try:
        generator.load_state_dict(
            {key.removeprefix(GENERATOR): value for key, value in state.items()}
        )
    except RuntimeError as error:
        raise ConfigError(
            f"{vocoder_file}: does not fit {config}: {summarize(error)}"
        ) from error
    mean, std = (value.float() for value in statistics)
    if not (std > 0).all():
        raise ConfigError(
            f"{vocoder_file}: {STATISTICS}std is not above 0; name a checkpoint that "
            "the training has written"
        )
    return prepare_inference(generator), mean, std


def weights_of(vocoder_file: Path) -> dict[str, torch.Tensor]:
    """Return the weights of a checkpoint that inference needs."""
    return {
        key: value
        for key, value in load_weights(Path(vocoder_file)).items()
        if not key.startswith(TRAINING)
    }


KEPT = ("tts", "tts_conf", "feats_extract", "feats_extract_conf")
