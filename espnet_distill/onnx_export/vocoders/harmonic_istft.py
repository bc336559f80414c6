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
    """HarmonicISTFTGenerator in real arithmetic, with the even bins before the odd ones."""

    has_pulses = True

    def __init__(self, generator: HarmonicISTFTGenerator):
        super().__init__()
        self.backbone = Backbone(generator.backbone)
        self.pulses = generator.pulses
        self.istft = InverseSTFT(generator.istft)
        orders = self.istft.orders
        pulse_orders = [order[order < generator.bins] for order in orders]
        pulse_order = torch.cat(pulse_orders)
        self.pulse_bins = tuple(map(len, pulse_orders))
        self.voiced = reordered(generator.filters, pulse_order)
        phases = [reordered(generator.phases, pulse_order)]
        if generator.has_free_phase:
            parts = (pulse_order, generator.bins + pulse_order)
            phases += [reordered(generator.free, part) for part in parts]
        self.phases = joined(*phases, generator.log_f0)
        self.split = [layer.out_features for layer in (*phases, generator.log_f0)]
        self.unvoiced = nn.ModuleList(
            reordered(generator.filters, generator.bins + order) for order in orders
        )
        self._register_noise(generator)
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
        features = self.backbone(mels)
        phases, *free, log_f0 = self.phases(features).split(self.split, -1)
        f0 = log_f0.t().exp()
        cycles = self.pulses.cycles(f0)
        frames = torch.arange(features.size(0))
        if place is not None:
            first, anchor, passed = place
            cycles = cycles - cycles[:, anchor] + passed
            frames = frames + first
        filters = _magnitudes(self.voiced(features))
        filters = filters * phases.cos(), filters * phases.sin()
        pulses = _product(self._pulse_spectra(f0, cycles[:, :-1]), filters)
        if free:
            pulses = map(torch.add, pulses, free)
        pulses = [part.split(self.pulse_bins, -1) for part in pulses]
        frames = frames % NOISE_FRAMES
        louder = noise.clamp(min=0).log() + self.log_magnitude
        spectra = []
        for half, layer in enumerate(self.unvoiced):
            bias = layer.bias + louder
            magnitudes = _magnitudes(torch.addmm(bias, features, layer.weight.t()))
            missing = (0, self.istft.sizes[half] - self.pulse_bins[half])
            for part, values in enumerate(self._noise(half)):
                low = functional.pad(pulses[part][half], missing)  # the lowest bins
                spectra.append(values[frames] * magnitudes + low)
        return self.istft(*(one[None] for one in spectra)), cycles[0]

    def _register_noise(self, generator: HarmonicISTFTGenerator) -> None:
        """Register the noise's spectra, or their phases alone if these suffice."""
        noise = torch.view_as_complex(generator.noise)
        self.noise_has_one_magnitude = generator.noise_has_one_magnitude
        self.log_magnitude = 0.0
        if self.noise_has_one_magnitude:
            self.log_magnitude = float(noise[0, 0].abs().log())
        for half, bins in enumerate(self.istft.orders):
            spectra = noise[:, bins]
            parts = {"real": spectra.real, "imaginary": spectra.imag}
            if self.noise_has_one_magnitude:
                parts = {"phase": spectra.angle()}
            for name, part in parts.items():
                self.register_buffer(f"noise_{name}_{half}", part.clone())

    def _noise(self, half: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the noise of even (0) or odd bins, real and imaginary.

        ONNX Runtime computes cosines and sines once, when it loads the graph.
        """
        if self.noise_has_one_magnitude:
            phase = getattr(self, f"noise_phase_{half}")
            return phase.cos(), phase.sin()
        return getattr(self, f"noise_real_{half}"), getattr(
            self, f"noise_imaginary_{half}"
        )

    def _pulse_spectra(
        self, f0: torch.Tensor, cycles: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the spectra of pulses (T, bins), real and imaginary.

        Args:
            f0: In Hz (1, T).
            cycles: Cycles of F0 before each frame (1, T).
        """
        wave = functional.pad(self.pulses(f0, cycles), self.edges)
        hops = wave.view(-1, self.pulse_hop)
        frames = f0.size(1)
        shifted = [hops[first : first + frames] for first in range(self.overlap)]
        spectra = torch.cat(shifted, -1) @ self.pulse_dft
        return spectra.split(sum(self.pulse_bins), -1)


def _magnitudes(logarithms: torch.Tensor) -> torch.Tensor:
    return logarithms.clamp(max=math.log(MAX_MAGNITUDE)).exp()


def _product(one, other) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the product of two complex numbers (real, imaginary)."""
    (real, imaginary), (other_real, other_imaginary) = one, other
    return (
        real * other_real - imaginary * other_imaginary,
        real * other_imaginary + imaginary * other_real,
    )
