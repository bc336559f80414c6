"""Objectives on waveforms: multi-resolution STFT and F0."""

from collections.abc import Sequence

import torch

from espnet_distill.errors import ConfigError
from espnet_distill.objectives.base import Objective, Taps
from espnet_distill.utils.config_values import as_list

FLOOR = 1e-5  # lower bound of a magnitude before its logarithm


class STFT(Objective):
    """Distance of the student's waveform to the teacher's, at several resolutions.

    The phases of a vocoder's waveform, unlike those of a recording, are a function of
    the mels, so spectra can be matched as complex numbers. At each FFT size, with Hann
    windows and a hop of a quarter of the size, spectra S of the student and T of the
    teacher give three terms:

        complex        Σ|Re(S - T)| + |Im(S - T)|  /  Σ|Re T| + |Im T|
        log_magnitude  mean |log|S| - log|T||
        convergence    ‖|S| - |T|‖ / ‖|T|‖ (Frobenius)

    The last two are those of Arik et al. 2018 (arXiv:1808.06719), at several
    resolutions as in Parallel WaveGAN (arXiv:1910.11480). The sum is divided by the
    number of sizes.

    Args:
        weight: Weight of the sum.
        sizes: FFT sizes, in samples.
        complex: Weight of the complex error.
        log_magnitude: Weight of the log-magnitude error.
        convergence: Weight of the spectral convergence.
    """

    taps = ("waveform",)

    def __init__(
        self,
        weight: float = 1.0,
        sizes: Sequence[int] = (256, 512, 1024, 2048),
        complex: float = 1.0,
        log_magnitude: float = 1.0,
        convergence: float = 1.0,
    ):
        super().__init__(weight)
        as_list(sizes, "stft.sizes")
        if not sizes or not all(
            type(n) is int and n >= 4 and n % 4 == 0 for n in sizes
        ):
            raise ConfigError(f"stft.sizes: expected multiples of 4, got {sizes!r}")
        self.term_weights = {
            "complex": complex,
            "log_magnitude": log_magnitude,
            "convergence": convergence,
        }
        for size in sizes:
            window = torch.hann_window(size)
            self.register_buffer(f"window_{size}", window, persistent=False)
        self.sizes = tuple(sizes)

    def forward(
        self, student: Taps, teacher: Taps, utterance_weights=None
    ) -> torch.Tensor:
        """Return the distance of waveforms (B, T) without padding."""
        (tap,) = self.taps
        waves = student[tap], teacher[tap]
        distances = (self._distance(*waves, size) for size in self.sizes)
        return sum(distances) / len(self.sizes)

    def _distance(self, student, teacher, size: int) -> torch.Tensor:
        s, t = self._spectrum(student, size), self._spectrum(teacher, size)
        error = torch.view_as_real(s - t).abs().sum()
        complex_error = error / torch.view_as_real(t).abs().sum().clamp(min=FLOOR)
        s, t = s.abs(), t.abs()
        log_error = (s.clamp(min=FLOOR).log() - t.clamp(min=FLOOR).log()).abs().mean()
        convergence = (s - t).norm() / t.norm().clamp(min=FLOOR)
        return (
            self.term_weights["complex"] * complex_error
            + self.term_weights["log_magnitude"] * log_error
            + self.term_weights["convergence"] * convergence
        )

    def _spectrum(self, wave: torch.Tensor, size: int) -> torch.Tensor:
        window = getattr(self, f"window_{size}")
        return torch.stft(wave, size, size // 4, window=window, return_complex=True)


class FreePhase(STFT):
    """Complex distance of a waveform's component with free phases to the teacher's.

    For vocoders that predict its spectra. The taps `free_phase` (B, T) are the component
    that the student predicts, and that of the teacher's waveform.

    Args:
        weight: Weight of the term.
        sizes: FFT sizes, in samples.
    """

    taps = ("free_phase",)
    label = "free_phase"

    def __init__(self, weight: float = 1.0, sizes: Sequence[int] = (1024,)):
        super().__init__(weight, sizes, log_magnitude=0.0, convergence=0.0)


class F0(Objective):
    """Mean |log F0 - log F0'| over the frames where the teacher's waveform is voiced.

    For vocoders that generate pulses. The student's tap `log_f0` (B, T) is predicted;
    the teacher's tap `f0` (B, T) is in Hz, 0 in unvoiced frames.
    """

    taps = ("log_f0",)
    targets = ("f0",)

    def forward(
        self, student: Taps, teacher: Taps, utterance_weights=None
    ) -> torch.Tensor:
        f0 = teacher["f0"]
        voiced = (f0 > 0).to(f0.dtype)
        error = (student["log_f0"] - f0.clamp(min=1.0).log()).abs()
        return (error * voiced).sum() / voiced.sum().clamp(min=1.0)
