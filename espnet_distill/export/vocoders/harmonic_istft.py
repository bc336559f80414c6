"""Inference module of HarmonicISTFTGenerator."""

import math

import torch
from torch import nn
from torch.nn import functional

from espnet_distill.export.transforms import InverseSTFT, dft_matrix, even_odd
from espnet_distill.vocoders.generators.harmonic_istft import (
    NOISE_FRAMES,
    HarmonicISTFTGenerator,
)
from espnet_distill.vocoders.generators.istft import MAX_MAGNITUDE


class HarmonicISTFT(nn.Module):
    """HarmonicISTFTGenerator in real arithmetic.

    One layer computes filters, phases and F0, with the bins in even-odd order.
    """

    def __init__(self, generator: HarmonicISTFTGenerator):
        super().__init__()
        self.backbone = generator.backbone
        self.pulses = generator.pulses
        self.istft = InverseSTFT(generator.istft)
        order, pulse_order = even_odd(self.istft.bins), even_odd(generator.bins)
        self.out = _joined(generator, order, pulse_order)
        self.sizes = (len(pulse_order), len(order), len(pulse_order), 1)
        noisy = torch.zeros(sum(self.sizes), dtype=torch.bool)
        noisy[self.sizes[0] : self.sizes[0] + self.sizes[1]] = True
        self.register_buffer("noisy", noisy)
        noise = generator.noise[:, order]
        self.register_buffer("noise", torch.cat((noise[..., 0], noise[..., 1]), 1))
        stft = generator.pulse_stft
        self.register_buffer("pulse_dft", dft_matrix(stft.window, pulse_order))
        self.edges, self.overlap = stft.edges, stft.overlap
        self.pulse_hop = stft.hop_length

    def forward(self, mels: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Turn mels (1, n_mels, T) into waveforms (1, T * hop).

        Args:
            mels: The mels.
            noise: Factor of the noise (1,).
        """
        louder = torch.where(self.noisy, noise.log(), torch.zeros(1))
        features = self.out(self.backbone(mels)) + louder
        voiced, unvoiced, phases, log_f0 = features.split(self.sizes, -1)
        voiced, unvoiced = (
            part.clamp(max=math.log(MAX_MAGNITUDE)).exp() for part in (voiced, unvoiced)
        )
        pulses = self._pulse_spectra(log_f0.squeeze(-1).exp())
        filters = voiced * phases.cos(), voiced * phases.sin()
        real, imaginary = _product(pulses, filters)
        frames = torch.arange(features.size(1)) % NOISE_FRAMES
        noises = self.noise[frames].chunk(2, -1)
        return self.istft(
            *(
                self._sum(part * unvoiced, voiced_part)
                for part, voiced_part in zip(noises, (real, imaginary))
            )
        )

    def _pulse_spectra(self, f0: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the spectra of pulses, real and imaginary, of F0 (1, T) in Hz."""
        cycles = self.pulses.cycles(f0)[:, :-1]
        wave = functional.pad(self.pulses(f0, cycles), self.edges)
        hops = wave.view(1, -1, self.pulse_hop)
        frames = f0.size(1)
        shifted = [hops[:, first : first + frames] for first in range(self.overlap)]
        return (torch.cat(shifted, -1) @ self.pulse_dft).chunk(2, -1)

    def _sum(self, spectra: torch.Tensor, pulses: torch.Tensor) -> torch.Tensor:
        """Add pulses to the lowest even and the lowest odd bins of spectra."""
        even, odd = (self.istft.bins + 1) // 2, self.istft.bins // 2
        parts = zip(spectra.split((even, odd), -1), pulses.split(self._pulse_bins, -1))
        return torch.cat([_add_lowest(part, low) for part, low in parts], -1)

    @property
    def _pulse_bins(self) -> tuple[int, int]:
        bins = self.sizes[0]
        return (bins + 1) // 2, bins // 2


def _joined(
    generator: HarmonicISTFTGenerator, order: torch.Tensor, pulse_order: torch.Tensor
) -> nn.Linear:
    """Join the layers of the filters, of the phases and of F0."""
    layers = (generator.filters, generator.phases, generator.log_f0)
    rows = (torch.cat((pulse_order, generator.bins + order)), pulse_order, [0])
    outputs = sum(map(len, rows))
    joined = nn.Linear(generator.filters.in_features, outputs)
    weights = [layer.weight.detach()[at] for layer, at in zip(layers, rows)]
    biases = [layer.bias.detach()[at] for layer, at in zip(layers, rows)]
    joined.weight, joined.bias = (
        nn.Parameter(torch.cat(parts)) for parts in (weights, biases)
    )
    return joined


def _product(one, other) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the product of two complex numbers (real, imaginary)."""
    (real, imaginary), (other_real, other_imaginary) = one, other
    return (
        real * other_real - imaginary * other_imaginary,
        real * other_imaginary + imaginary * other_real,
    )


def _add_lowest(spectra: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
    count = low.size(-1)
    return torch.cat((spectra[..., :count] + low, spectra[..., count:]), -1)
