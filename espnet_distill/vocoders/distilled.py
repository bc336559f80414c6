"""Vocoders that a training of this package has written."""

import logging
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import torch

from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.errors import ConfigError, summarize
from espnet_distill.experiments.experiment import load_weights, read_config
from espnet_distill.vocoders.generators.harmonic_istft import HarmonicISTFTGenerator
from espnet_distill.vocoders.generators.registry import (
    build_generator,
    prepare_inference,
)
from espnet_distill.vocoders.streaming import context_of, pieces

GENERATOR, STATISTICS = "tts.generator.", "normalize."


TRAINING = ("tts.discriminator.", "tts.updates", "tts.log_mels.", "tts.objectives.")


class DistilledVocoder(torch.nn.Module):
    """A generator and the statistics by which its mels are normalised.

    Args:
        generator: (1, n_mels, T) to (1, 1, T * hop length).
        mels: What it reads.
        mean: Of the log-mels (n_mels,).
        std: Likewise.
    """

    def __init__(self, generator, mels: MelSpec, mean: torch.Tensor, std: torch.Tensor):
        super().__init__()
        self.generator = generator
        self.mels = mels
        self.fs = mels.fs
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    @torch.no_grad()
    def forward(self, feats: torch.Tensor) -> torch.Tensor:
        """Turn log-mels (T, n_mels) into a waveform (T * hop length,)."""
        return self.generator(self._normalised(feats)).view(-1).clamp(-1, 1)

    def _normalised(self, feats: torch.Tensor) -> torch.Tensor:
        return ((feats - self.mean) / self.std).t()[None]

    def require_statistics(self, mean: torch.Tensor, vocoder_file) -> None:
        """Refuse mels that are far from those of the training; warn of some distance.

        Args:
            mean: Of the log-mels (n_mels,) that are to be spoken.
            vocoder_file: What a message names.

        Raises:
            ConfigError: Means that lie more than one of its standard deviations from
                its own, on average.
        """
        distance = float(((mean - self.mean) / self.std).abs().mean())
        told = (
            f"vocoder {vocoder_file}: was trained for mels of other statistics; the "
            f"model's means are {distance:.2f} standard deviations off, on average"
        )
        if distance > 1:
            raise ConfigError(f"{told}: another voice or loudness; distil one for it")
        if distance > 0.1:
            logging.warning(told)

    @torch.no_grad()
    def stream(self, feats: torch.Tensor, chunk: int) -> Iterator[torch.Tensor]:
        """Yield the waveform of `forward` in pieces of `chunk` frames, one by one.

        A piece is made of its frames and of as many before and after as it depends on
        (`look_ahead`): it is what it is in the whole.

        Raises:
            ConfigError: A chunk shorter than the look-ahead.
        """
        c, begun = self._normalised(feats), None
        for around, inside in pieces(len(feats), chunk, self.look_ahead):
            wave, begun = self._piece(c[..., around], inside, begun)
            yield wave.view(-1).clamp(-1, 1)

    def _piece(self, c: torch.Tensor, inside: slice, begun):
        """Speak the frames inside, and say what the next piece begins with."""
        if isinstance(self.generator, HarmonicISTFTGenerator):
            return self.generator.piece(c, inside, begun)
        hop = self.mels.hop_length
        return self.generator(c)[..., inside.start * hop : inside.stop * hop], None

    @cached_property
    def look_ahead(self) -> int:
        """Frames after a frame that its samples depend on, and as many before."""
        if isinstance(self.generator, HarmonicISTFTGenerator):
            return self.generator.look_ahead
        return context_of(self.generator, self.mels.n_mels)


def load_distilled(vocoder_file: Path, config: Path) -> DistilledVocoder:
    """Load a distilled vocoder strictly; what only its training needs is left.

    Raises:
        ConfigError: A checkpoint or a configuration that is unreadable, or one that is
            not of the other.
    """
    conf = read_config(config)
    mels = MelSpec.of_conf(conf.get("feats_extract_conf") or {})
    generator = build_generator(conf["tts_conf"], mels, f"{config}: tts_conf")
    state = weights_of(vocoder_file)
    statistics = [state.pop(f"{STATISTICS}{name}", None) for name in ("mean", "std")]
    if any(value is None for value in statistics):
        raise ConfigError(
            f"{vocoder_file}: has no {STATISTICS}mean and std of the mels; name a "
            "checkpoint that the training has written"
        )
    try:
        generator.load_state_dict(
            {key.removeprefix(GENERATOR): value for key, value in state.items()}
        )
    except RuntimeError as error:
        raise ConfigError(
            f"{vocoder_file}: is not what {config} says: {summarize(error)}"
        ) from error
    mean, std = (value.float() for value in statistics)
    if not (std > 0).all():
        raise ConfigError(
            f"{vocoder_file}: {STATISTICS}std is not above 0; name a checkpoint that "
            "the training has written"
        )
    return DistilledVocoder(prepare_inference(generator), mels, mean, std).eval()


def weights_of(vocoder_file: Path) -> dict[str, torch.Tensor]:
    """Return the weights of a checkpoint that a vocoder speaks with."""
    return {
        key: value
        for key, value in load_weights(Path(vocoder_file)).items()
        if not key.startswith(TRAINING)
    }


KEPT = ("tts", "tts_conf", "feats_extract", "feats_extract_conf")
