"""Harmonic-plus-noise generator: filtered pulses and noise, and an inverse STFT."""

import math
from functools import cached_property

import torch
from torch.nn import functional

from espnet_distill.vocoders.generators.base import Generator
from espnet_distill.vocoders.generators.istft import MAX_MAGNITUDE, FrameMajorBackbone
from espnet_distill.vocoders.generators.pulses import PulseTrain
from espnet_distill.vocoders.generators.spectra import FrameMajorISTFT, require_even
from espnet_distill.vocoders.streaming import context_of

INITIAL_F0, INITIAL_MAGNITUDE = 150.0, 0.05  # Hz and magnitude before training
NOISE_FRAMES = 512  # period of the noise
MIN_VOICED = 2000.0  # Hz, lower bound of the highest frequency of the pulses


class HarmonicISTFTGenerator(Generator, torch.nn.Module):
    """Harmonics plus noise, with filters and F0 predicted by ConvNeXt blocks.

    The phases of speech, which a small network does not learn, come from a train of
    pulses at F0 and from noise (as in the neural homomorphic vocoder, Liu et al.,
    Interspeech 2020, and in DDSP, arXiv:2001.04643). The pulses have a maximum voiced
    frequency, as in Stylianou's harmonics plus noise model: they are generated at a
    lower sampling rate, and above half of that rate the output is noise. In each frame
    the network predicts F0, the magnitudes of both filters, and the phases of the
    pulses' filter. Blocks and inverse STFT are those of Vocos (arXiv:2306.00814).

    Args:
        in_channels: Number of mels.
        hop_length: Samples a frame.
        fs: Sampling rate in Hz.
        channels: Width of the residual stream.
        hidden_channels: Width inside each block.
        layers: Number of blocks.
        n_fft: Size of the inverse STFT, a multiple of the hop (None: four hops).
        pulse_downsampling: Divisor of the hop by which the sampling rate of the pulses
            is below `fs` (None: the greatest that keeps harmonics up to 2 kHz).
        noise: Spectra to which the noise's filter is applied: those of white Gaussian
            noise ("gaussian"), or of one magnitude and independent phases ("phases"),
            which fluctuate less.
        free_phase: Whether the network also predicts a spectrum of its own in the bins of
            the pulses, real and imaginary, which is added. It expresses what is neither
            filtered pulses nor filtered noise; a small network learns its phases from a
            teacher that has such a component (as hibari-tts does) only.

    Raises:
        ValueError: `pulse_downsampling` does not divide the hop, `n_fft` is odd, or
            `noise` is unknown.
    """

    predicts_f0 = True

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
        noise: str = "gaussian",
        free_phase: bool = False,
    ):
        super().__init__()
        self.in_channels, self.upsample_factor = in_channels, hop_length
        self.backbone = FrameMajorBackbone(
            in_channels, channels, hidden_channels, layers
        )
        n_fft = n_fft or 4 * hop_length
        require_even(n_fft)
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
        self.bins = n_fft // by // 2 + 1  # bins with pulses
        self.filters = _linear(
            channels, self.bins + n_fft // 2 + 1, math.log(INITIAL_MAGNITUDE)
        )
        self.phases = _linear(channels, self.bins, 0.0)
        self.log_f0 = _linear(channels, 1, math.log(INITIAL_F0))
        self.has_free_phase = free_phase
        if free_phase:
            self.free = _linear(channels, 2 * self.bins, 0.0)
        if noise not in NOISES:
            raise ValueError(f"noise {noise!r} is none of {', '.join(NOISES)}")
        self.noise_has_one_magnitude = noise == "phases"
        spectra = torch.view_as_real(NOISES[noise](self.istft))
        self.register_buffer("noise", spectra, persistent=False)

    def forward(self, c: torch.Tensor) -> torch.Tensor:
        """Turn mels (B, in_channels, T) into waveforms (B, 1, T * hop_length)."""
        x, log_f0 = self._represent(c)
        f0 = log_f0.detach().exp()
        cycles = self.pulses.cycles(f0)[:, :-1]
        return self._synthesize(x, f0, cycles, torch.zeros(len(c), 1)).unsqueeze(1)

    def training_forward(
        self, c: torch.Tensor, f0: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Synthesize at a given F0, with random offsets of the pulses and of the noise.

        Args:
            c: Mels (B, in_channels, T).
            f0: In Hz (B, T); where it is 0, the predicted F0 is taken.

        Returns:
            `waveform` (B, T * hop_length), and the predicted `log_f0` (B, T), to which
            the waveform passes no gradient; with `free_phase` also that component of the
            waveform.
        """
        x, log_f0 = self._represent(c)
        f0 = torch.where(f0 > 0, f0, log_f0.detach().exp())
        offsets = torch.rand(2, len(c), 1, device=c.device)
        cycles = self.pulses.cycles(f0)[:, :-1] + offsets[0]
        frame = (offsets[1] * NOISE_FRAMES).long()
        taps = {"waveform": self._synthesize(x, f0, cycles, frame), "log_f0": log_f0}
        if self.has_free_phase:
            missing = (0, self.istft.n_fft // 2 + 1 - self.bins)
            taps["free_phase"] = self.istft(
                lambda at: functional.pad(self._free_spectra(x[:, at]), missing),
                *x.shape[:2],
            )
        return taps

    def piece(self, c: torch.Tensor, inside: slice, state: tuple[int, float] | None):
        """Synthesize one piece of a waveform.

        Args:
            c: Mels (1, in_channels, T) of the piece and of the `look_ahead` around it.
            inside: The frames of the piece within `c`.
            state: Index of the piece's first frame and cycles of F0 before it, as the
                previous piece returned them; None for the first.

        Returns:
            The waveform (1, 1, frames * hop_length) and the state.
        """
        first, passed = state or (0, 0.0)
        x, log_f0 = self._represent(c)
        f0 = log_f0.exp()
        cycles = self.pulses.cycles(f0)
        cycles = cycles - cycles[:, inside.start] + passed
        frame = torch.tensor([[first - inside.start]])
        wave = self._synthesize(x, f0, cycles[:, :-1], frame)
        hop = self.upsample_factor
        wave = wave[:, inside.start * hop : inside.stop * hop].unsqueeze(1)
        count = inside.stop - inside.start
        return wave, (first + count, float(cycles[0, inside.stop]))

    @cached_property
    def look_ahead(self) -> int:
        """Frames to either side on which a frame's samples depend, phases aside."""
        return context_of(self.backbone, self.in_channels) + self.istft.overlap // 2 + 1

    def _represent(self, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the representations (B, T, dim) of mels, and log F0 (B, T)."""
        x = self.backbone(c)
        return x, self.log_f0(x).squeeze(-1)

    def _synthesize(self, x, f0, cycles, frame) -> torch.Tensor:
        """Return waveforms (B, T * hop_length) of representations (B, T, dim).

        Args:
            x: Input of the filters' layers.
            f0: In Hz (B, T).
            cycles: Cycles of F0 before each frame (B, T).
            frame: Index of the first frame's noise (B, 1).
        """
        pulses = self.pulse_stft.framed(self.pulses(f0, cycles))
        frames = (frame.to(x.device) + torch.arange(x.size(1), device=x.device)).long()
        noise = torch.view_as_complex(self.noise)

        def spectra(at: slice) -> torch.Tensor:
            noises = noise[frames[:, at] % NOISE_FRAMES]
            return self._filtered(x[:, at], pulses[:, at], noises)

        return self.istft(spectra, *x.shape[:2])

    def _filtered(self, x, pulses, noise) -> torch.Tensor:
        """Filter frames of pulses and spectra of noise (B, T, bins); return the sum."""
        filters = self.filters(x).clamp_(max=math.log(MAX_MAGNITUDE)).exp_()
        voiced, unvoiced = filters.tensor_split((self.bins,), dim=-1)
        pulses = self.pulse_stft.spectra(pulses) * torch.polar(voiced, self.phases(x))
        spectra = noise * unvoiced
        spectra[..., : self.bins] += pulses
        if self.has_free_phase:
            spectra[..., : self.bins] += self._free_spectra(x)
        return spectra

    def _free_spectra(self, x: torch.Tensor) -> torch.Tensor:
        """Return the predicted spectra (B, T, bins)."""
        return torch.complex(*self.free(x).chunk(2, dim=-1))


def _gaussian(istft: FrameMajorISTFT) -> torch.Tensor:
    """Return spectra (NOISE_FRAMES, bins) of white Gaussian noise."""
    samples = NOISE_FRAMES * istft.hop_length
    noise = torch.randn(1, samples, generator=torch.Generator().manual_seed(0))
    return istft.spectra(istft.framed(noise))[0]


def _phases(istft: FrameMajorISTFT) -> torch.Tensor:
    """Return spectra of random phases, with the mean power of those of `_gaussian`."""
    shape = NOISE_FRAMES, istft.n_fft // 2 + 1
    cycles = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    return torch.polar(istft.window.norm().expand(shape), 2 * torch.pi * cycles)


NOISES = {"gaussian": _gaussian, "phases": _phases}


def _downsampling(fs: int, hop_length: int) -> int:
    limit = max(int(fs / 2 / MIN_VOICED), 1)
    return max(by for by in range(1, limit + 1) if hop_length % by == 0)


def _linear(inputs: int, outputs: int, bias: float) -> torch.nn.Linear:
    """Build a layer whose initial output is near `bias`."""
    layer = torch.nn.Linear(inputs, outputs)
    torch.nn.init.trunc_normal_(layer.weight, std=0.02)
    torch.nn.init.constant_(layer.bias, bias)
    return layer
