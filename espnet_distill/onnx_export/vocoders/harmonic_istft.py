"""Inference module of HarmonicISTFTGenerator."""

import math

import torch
from torch import nn
from torch.nn import functional

from espnet_distill.onnx_export.linear import joined, reordered
from espnet_distill.onnx_export.transforms import InverseSTFT, dft_matrix
from espnet_distill.onnx_export.vocoders.backbone import Backbone
from espnet_distill.vocoders.generators.harmonic_istft import (
    NOISE_FRAMES,
    HarmonicISTFTGenerator,
)
from espnet_distill.vocoders.generators.istft import MAX_MAGNITUDE


class HarmonicISTFT(nn.Module):
    """HarmonicISTFTGenerator in real arithmetic.

    One layer computes filters, phases and F0, with the even bins before the odd ones.
    """

    has_pulses = True

    def __init__(self, generator: HarmonicISTFTGenerator):
        super().__init__()
        self.backbone = Backbone(generator.backbone)
        self.pulses = generator.pulses
        self.istft = InverseSTFT(generator.istft)
        orders = self.istft.orders
        pulse_orders = [order[order < generator.bins] for order in orders]
        pulse_order = torch.cat(pulse_orders)
        self.out = _joined(generator, torch.cat(orders), pulse_order)
        self.pulse_bins = tuple(map(len, pulse_orders))
        self.sizes = (generator.bins, generator.bins, 1, *self.istft.sizes)
        noisy = torch.arange(sum(self.sizes)) > 2 * generator.bins
        self.register_buffer("noisy", noisy)
        for half, bins in enumerate(orders):
            for part in range(2):
                noise = generator.noise[:, bins, part].clone()
                self.register_buffer(f"noise_{half}{part}", noise)
        stft = generator.pulse_stft
        self.register_buffer("pulse_dft", dft_matrix(stft.window, pulse_order))
        self.edges, self.overlap = stft.edges, stft.overlap
        self.pulse_hop = stft.hop_length

    def forward(
        self,
        mels: torch.Tensor,
        noise: torch.Tensor,
        place: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Turn mels (1, n_mels, T) into waveforms (1, T * hop).

        Args:
            mels: The mels.
            noise: Factor of the noise (1,).
            place: Of a piece of a sentence: the index of its first frame, and the index
                in `mels` of a frame and the cycles of F0 before that frame, (1,) each.

        Returns:
            The waveforms, and the cycles of F0 before each frame and the end (T + 1,).
        """
        louder = noise.clamp(min=0).log()
        bias = self.out.bias + torch.where(self.noisy, louder, torch.zeros(1))
        features = self.backbone(mels) @ self.out.weight.t() + bias
        voiced, phases, log_f0, *unvoiced = features.split(self.sizes, -1)
        f0 = log_f0.squeeze(-1).exp()
        cycles = self.pulses.cycles(f0)
        frames = torch.arange(features.size(1))
        if place is not None:
            first, anchor, passed = place
            cycles = cycles - cycles[:, anchor] + passed
            frames = frames + first
        filters = _magnitudes(voiced)
        filters = filters * phases.cos(), filters * phases.sin()
        pulses = _product(self._pulse_spectra(f0, cycles[:, :-1]), filters)
        pulses = [part.split(self.pulse_bins, -1) for part in pulses]
        frames = frames % NOISE_FRAMES
        spectra = [
            _add_lowest(
                self._noise(half, part)[frames] * magnitudes, pulses[part][half]
            )
            for half, magnitudes in enumerate(map(_magnitudes, unvoiced))
            for part in range(2)
        ]
        return self.istft(*spectra), cycles[0]

    def _noise(self, half: int, part: int) -> torch.Tensor:
        """Return the noise of even (0) or odd bins, real (0) or imaginary."""
        return getattr(self, f"noise_{half}{part}")

    def _pulse_spectra(
        self, f0: torch.Tensor, cycles: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the spectra of pulses, real and imaginary.

        Args:
            f0: In Hz (1, T).
            cycles: Cycles of F0 before each frame (1, T).
        """
        wave = functional.pad(self.pulses(f0, cycles), self.edges)
        hops = wave.view(1, -1, self.pulse_hop)
        frames = f0.size(1)
        shifted = [hops[:, first : first + frames] for first in range(self.overlap)]
        return (torch.cat(shifted, -1) @ self.pulse_dft).chunk(2, -1)


def _joined(
    generator: HarmonicISTFTGenerator, order: torch.Tensor, pulse_order: torch.Tensor
) -> nn.Linear:
    """Join the layers: filters of pulses, phases, F0, filters of noise."""
    filters = generator.filters
    return joined(
        reordered(filters, pulse_order),
        reordered(generator.phases, pulse_order),
        generator.log_f0,
        reordered(filters, generator.bins + order),
    )


def _magnitudes(logarithms: torch.Tensor) -> torch.Tensor:
    return logarithms.clamp(max=math.log(MAX_MAGNITUDE)).exp()


def _product(one, other) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the product of two complex numbers (real, imaginary)."""
    (real, imaginary), (other_real, other_imaginary) = one, other
    return (
        real * other_real - imaginary * other_imaginary,
        real * other_imaginary + imaginary * other_real,
    )


def _add_lowest(spectra: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
    """Add to the first bins, which are the lowest."""
    return spectra + functional.pad(low, (0, spectra.size(-1) - low.size(-1)))
