"""Interface of the generators that training and inference of a vocoder use."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import torch
from espnet2.gan_tts.hifigan import HiFiGANGenerator

from espnet_distill.vocoders.streaming import context_of, pieces


class Generator:
    """Mixin of a torch module whose forward maps mels to waveforms.

    `forward` takes (B, in_channels, T) and returns (B, 1, T * upsample_factor). A
    subclass sets both attributes, and overrides the methods if it generates pulses.

    Attributes:
        in_channels: Number of mels.
        upsample_factor: Samples a frame.
        predicts_f0: Whether the generator has phases of its own, from its predicted F0;
            `training_forward` then returns `log_f0` (B, T).
        has_free_phase: Whether it predicts a component of the waveform with phases of
            its own; `training_forward` then returns `free_phase`, of the waveform's shape.
    """

    in_channels: int
    upsample_factor: int
    predicts_f0 = False
    has_free_phase = False

    def training_forward(
        self, c: torch.Tensor, f0: torch.Tensor | None
    ) -> dict[str, torch.Tensor]:
        """Return the taps of a training step: `waveform` (B, T * upsample_factor).

        Args:
            c: Mels (B, in_channels, T).
            f0: Of the target waveform in Hz (B, T), 0 in unvoiced frames.
        """
        return {"waveform": self(c).squeeze(1)}

    def stream(self, c: torch.Tensor, chunk: int) -> Iterator[torch.Tensor]:
        """Yield the waveform of `forward` in pieces (1, 1, frames * upsample_factor).

        Args:
            c: Mels (1, in_channels, T).
            chunk: Frames of a piece.

        Raises:
            ConfigError: A chunk shorter than `look_ahead`.
        """
        state = None
        for around, inside in pieces(c.size(-1), chunk, self.look_ahead):
            wave, state = self.piece(c[..., around], inside, state)
            yield wave

    def piece(
        self, c: torch.Tensor, inside: slice, state: Any
    ) -> tuple[torch.Tensor, Any]:
        """Synthesize one piece of a waveform.

        Args:
            c: Mels (1, in_channels, T) of the piece and of the `look_ahead` around it.
            inside: The frames of the piece within `c`.
            state: The state that the previous piece returned; None for the first.

        Returns:
            The waveform (1, 1, frames * upsample_factor) and the state.
        """
        hop = self.upsample_factor
        return self(c)[..., inside.start * hop : inside.stop * hop], None

    @cached_property
    def look_ahead(self) -> int:
        """Frames to either side on which the samples of a frame depend."""
        return context_of(self, self.in_channels)


class HiFiGAN(Generator, HiFiGANGenerator):
    """ESPnet's HiFiGANGenerator with the interface of the generators."""

    @property
    def in_channels(self) -> int:
        return self.input_conv.in_channels
