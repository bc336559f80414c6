"""Registry of the inference modules of vocoders: a generator's class to a module."""

import torch
from espnet2.gan_tts.hifigan import HiFiGANGenerator
from torch import nn

from espnet_distill.errors import ConfigError
from espnet_distill.onnx_export.vocoders.harmonic_istft import HarmonicISTFT
from espnet_distill.onnx_export.vocoders.hifigan import HiFiGAN
from espnet_distill.onnx_export.vocoders.istft import ISTFT
from espnet_distill.onnx_export.vocoders.multiband_istft import MultibandISTFT
from espnet_distill.vocoders.distilled import DistilledVocoder
from espnet_distill.vocoders.generators.base import Generator
from espnet_distill.vocoders.generators.harmonic_istft import HarmonicISTFTGenerator
from espnet_distill.vocoders.generators.istft import ISTFTGenerator
from espnet_distill.vocoders.generators.multiband_istft import MultibandISTFTGenerator
from espnet_distill.vocoders.hifigan import HiFiGANVocoder
from espnet_distill.vocoders.streaming import context_of

MODULES: dict[type[nn.Module], type[nn.Module]] = {
    HarmonicISTFTGenerator: HarmonicISTFT,
    ISTFTGenerator: ISTFT,
    MultibandISTFTGenerator: MultibandISTFT,
    HiFiGANGenerator: HiFiGAN,
}


class Vocoder(nn.Module):
    """A vocoder of log-mels, as inference computes it.

    Args:
        vocoder: A loaded vocoder.
        vocoder_file: Its checkpoint, for messages.

    Attributes:
        look_ahead: Frames to either side on which a frame's samples depend.

    Raises:
        ConfigError: A vocoder that ONNX cannot express.
    """

    def __init__(self, vocoder: nn.Module, vocoder_file):
        super().__init__()
        if not isinstance(vocoder, DistilledVocoder | HiFiGANVocoder):
            raise ConfigError(
                f"vocoder {vocoder_file}: {type(vocoder).__name__} cannot be exported; "
                "name a HiFi-GAN or a vocoder of this package"
            )
        generator = vocoder.generator
        self.generator = inference_module(generator, f"vocoder {vocoder_file}")
        self.look_ahead = _look_ahead(generator)
        self.floor = getattr(vocoder, "mel_floor", None)
        self.register_buffer("mean", vocoder.mean)
        self.register_buffer("std", getattr(vocoder, "std", None))
        if isinstance(vocoder, HiFiGANVocoder):
            self.std = vocoder.scale

    def forward(
        self, mels: torch.Tensor, noise: torch.Tensor, place=None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Turn log-mels (1, T, n_mels) into waveforms (1, T * hop), which are not clipped.

        Args:
            mels: The log-mels.
            noise: Factor of the noise (1,), for vocoders that have one.
            place: See HarmonicISTFT; None for a whole sentence.

        Returns:
            The waveforms, and the cycles of F0 (T + 1,), of vocoders with pulses.
        """
        if self.floor is not None:
            mels = mels.clamp(min=self.floor)
        if self.mean is not None:
            mels = (mels - self.mean) / self.std
        return self.generator(mels.transpose(1, 2), noise, place)


def inference_module(generator: nn.Module, where: str) -> nn.Module:
    """Return the inference module of a generator.

    Raises:
        ConfigError: A generator that ONNX cannot express; `where` begins the message.
    """
    kind = next(kind for kind in MODULES if isinstance(generator, kind))
    try:
        return MODULES[kind](generator)
    except ValueError as error:
        raise ConfigError(
            f"{where}: cannot be exported: {error}; train one with other sizes"
        ) from error


def _look_ahead(generator: nn.Module) -> int:
    if isinstance(generator, Generator):
        return generator.look_ahead
    return context_of(generator, generator.input_conv.in_channels)
