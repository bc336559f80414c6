"""Pulses and noise, each filtered once a frame, and one inverse STFT."""

import math
from functools import cached_property

import torch

from espnet_distill.vocoders.generators.istft import MAX_MAGNITUDE, FrameMajorBackbone
from espnet_distill.vocoders.generators.pulses import PulseTrain
from espnet_distill.vocoders.generators.spectra import FrameMajorISTFT
from espnet_distill.vocoders.streaming import context_of

F0, QUIET = 150.0, 0.05  # what is said before anything is learnt: Hz, magnitude


NOISE_FRAMES = 512  # after which the noise begins anew


VOICED = 2000.0  # Hz, up to which there are pulses at least


class HarmonicISTFTGenerator(torch.nn.Module):
    """Harmonics plus noise, whose filters and F0 are those that ConvNeXt blocks tell.

    The phases of speech, which a small network does not learn, are those of a train of
    pulses at F0 and of noise (as in the neural homomorphic vocoder, Liu et al.,
    Interspeech 2020, and in DDSP, arXiv:2001.04643). Pulses end at a maximum voiced
    frequency, as in Stylianou's harmonics plus noise: they are made at a lower rate, and
    above half of it is noise alone. What is learnt is a filter for either in each frame,
    by magnitude and for the pulses by phase, and F0. Blocks and inverse STFT are those
    of Vocos (arXiv:2306.00814).

    Args:
        in_channels: Number of mels.
        hop_length: Samples a frame.
        fs: Sampling rate in Hz.
        channels: Width of the residual stream.
        hidden_channels: Width inside each block.
        layers: Number of blocks.
        n_fft: Size of the inverse STFT, a multiple of the hop (None: four hops).
        pulse_downsampling: Pulses are made at `fs` divided by this, a divisor of the hop
            (None: by the greatest that leaves 2 kHz of harmonics).

    Raises:
        ValueError: A hop that it does not divide.
    """

    def __init__(
        self,
        in_channels: int,
        hop_length: int,
        fs: int,
        channels: int = 160,
        hidden_channels: int = 480,
        layers: int = 6,
        n_fft: int | None = None,
        pulse_downsampling: int | None = None,
    ):
        super().__init__()
        self.in_channels, self.upsample_factor = in_channels, hop_length
        self.backbone = FrameMajorBackbone(
            in_channels, channels, hidden_channels, layers
        )
        n_fft = n_fft or 4 * hop_length
        by = pulse_downsampling
        if by is None:
            by = _downsampling(fs, hop_length)
        if by < 1 or hop_length % by:
            raise ValueError(
                f"pulse_downsampling {by} does not divide hop_length {hop_length}"
            )
        self.istft = FrameMajorISTFT(n_fft, hop_length)
        self.pulses = PulseTrain(fs / by, hop_length // by)
        self.pulse_stft = FrameMajorISTFT(n_fft // by, hop_length // by)
        self.bins = n_fft // by // 2 + 1  # that have pulses
        self.filters = _linear(channels, self.bins + n_fft // 2 + 1, math.log(QUIET))
        self.phases = _linear(channels, self.bins, 0.0)
        self.log_f0 = _linear(channels, 1, math.log(F0))
        noise = torch.randn(
            1, NOISE_FRAMES * hop_length, generator=torch.Generator().manual_seed(0)
        )
        noise = torch.view_as_real(self.istft.spectra(self.istft.framed(noise))[0])
        self.register_buffer("noise", noise, persistent=False)

    def forward(self, c: torch.Tensor) -> torch.Tensor:
        """Turn mels (B, in_channels, T) into waveforms (B, 1, T * hop_length)."""
        x, log_f0 = self._told(c)
        f0 = log_f0.detach().exp()
        begun = self.pulses.cycles(f0)[:, :-1]
        return self._speak(x, f0, begun, torch.zeros(len(c), 1)).unsqueeze(1)

    def guided(self, c: torch.Tensor, f0: torch.Tensor) -> dict[str, torch.Tensor]:
        """Speak at a given F0, from somewhere in a pulse and in the noise.

        Args:
            c: Mels (B, in_channels, T).
            f0: In Hz (B, T); where it is 0, the own one is taken.

        Returns:
            `waveform` (B, T * hop_length), and `log_f0` (B, T), which the waveform does
            not depend on.
        """
        x, log_f0 = self._told(c)
        f0 = torch.where(f0 > 0, f0, log_f0.detach().exp())
        somewhere = torch.rand(2, len(c), 1, device=c.device)
        begun = self.pulses.cycles(f0)[:, :-1] + somewhere[0]
        frame = (somewhere[1] * NOISE_FRAMES).long()
        return {"waveform": self._speak(x, f0, begun, frame), "log_f0": log_f0}

    def piece(self, c: torch.Tensor, inside: slice, begun: tuple[int, float] | None):
        """Speak some frames of a whole, given what is around them.

        Args:
            c: Mels (1, in_channels, T) of the frames and of the `look_ahead` around.
            inside: Which frames of them are spoken.
            begun: Number of the first, and cycles that have passed before it: what the
                piece before has returned (None: there is none).

        Returns:
            The waveform (1, 1, frames * hop_length), and what the next piece begins with.
        """
        first, passed = begun or (0, 0.0)
        x, log_f0 = self._told(c)
        f0 = log_f0.exp()
        cycles = self.pulses.cycles(f0)
        cycles = cycles - cycles[:, inside.start] + passed
        frame = torch.tensor([[first - inside.start]])
        wave = self._speak(x, f0, cycles[:, :-1], frame)
        hop = self.upsample_factor
        wave = wave[:, inside.start * hop : inside.stop * hop].unsqueeze(1)
        count = inside.stop - inside.start
        return wave, (first + count, float(cycles[0, inside.stop]))

    @cached_property
    def look_ahead(self) -> int:
        """Frames to either side on which a frame's samples depend, but for the phase."""
        return context_of(self.backbone, self.in_channels) + self.istft.overlap // 2 + 1

    def _told(self, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What filters are told from (B, T, dim), and log F0 (B, T)."""
        x = self.backbone(c)
        return x, self.log_f0(x).squeeze(-1)

    def _speak(self, x, f0, begun, frame) -> torch.Tensor:
        """Waveforms (B, T * hop_length) of representations (B, T, dim).

        Args:
            x: What the filters are told from.
            f0: In Hz (B, T).
            begun: Cycles that have passed before each frame (B, T).
            frame: Which of the noise is the first one's (B, 1).
        """
        pulses = self.pulse_stft.framed(self.pulses(f0, begun))
        frames = (frame.to(x.device) + torch.arange(x.size(1), device=x.device)).long()
        noise = torch.view_as_complex(self.noise)

        def spectra(at: slice) -> torch.Tensor:
            noises = noise[frames[:, at] % NOISE_FRAMES]
            return self._filtered(x[:, at], pulses[:, at], noises)

        return self.istft(spectra, *x.shape[:2])

    def _filtered(self, x, pulses, noise) -> torch.Tensor:
        """Filter frames of pulses and spectra of noise (B, T, bins); return their sum."""
        filters = self.filters(x).clamp_(max=math.log(MAX_MAGNITUDE)).exp_()
        voiced, unvoiced = filters.tensor_split((self.bins,), dim=-1)
        pulses = self.pulse_stft.spectra(pulses) * torch.polar(voiced, self.phases(x))
        spectra = noise * unvoiced
        spectra[..., : self.bins] += pulses
        return spectra


def _downsampling(fs: int, hop_length: int) -> int:
    most = max(int(fs / 2 / VOICED), 1)
    return max(by for by in range(1, most + 1) if hop_length % by == 0)


def _linear(inputs: int, outputs: int, bias: float) -> torch.nn.Linear:
    """A layer that begins near one value."""
    layer = torch.nn.Linear(inputs, outputs)
    torch.nn.init.trunc_normal_(layer.weight, std=0.02)
    torch.nn.init.constant_(layer.bias, bias)
    return layer
