"""Band-limited pulse trains at a fundamental frequency."""

import math

import torch

MIN_HALF_PHASE = 1e-4  # below it a pulse is constant


MIN_F0 = 20.0  # Hz


class PulseTrain(torch.nn.Module):
    """Sum of cosines at all multiples of F0 below half the rate, with a power of 1.

    The sum of K cosines at a phase φ is (sin((2K + 1) φ/2) / sin(φ/2) - 1) / 2
    (Dirichlet's kernel). φ is the integral of F0, which is linear between frames; K
    changes with the frame.

    Args:
        fs: Sampling rate in Hz.
        hop_length: Samples a frame.
    """

    def __init__(self, fs: float, hop_length: int):
        super().__init__()
        self.fs, self.hop_length = fs, hop_length
        self.register_buffer(
            "samples", torch.arange(hop_length).float(), persistent=False
        )

    def cycles(self, f0: torch.Tensor) -> torch.Tensor:
        """Return the cycles (B, T + 1) of F0 (B, T) before each frame and the end."""
        f0, after = _clamp(f0, self.fs)
        elapsed = (f0.double() + after) * (self.hop_length / (2 * self.fs))
        return torch.nn.functional.pad(elapsed.cumsum(1), (1, 0))

    def forward(self, f0: torch.Tensor, cycles: torch.Tensor) -> torch.Tensor:
        """Generate pulses (B, T * hop_length).

        Args:
            f0: In Hz, at the first sample of each frame (B, T).
            cycles: Cycles of F0 before each frame (B, T).
        """
        f0, after = _clamp(f0, self.fs)
        step = (f0 / self.fs).unsqueeze(-1)
        slope = ((after - f0) / (2 * self.hop_length * self.fs)).unsqueeze(-1)
        cycles = (cycles - cycles.floor()).to(f0.dtype).unsqueeze(-1)
        cycles = cycles + (step + slope * self.samples) * self.samples
        half = (cycles - cycles.round()).abs_().mul_(math.pi).clamp_(min=MIN_HALF_PHASE)
        harmonics = (self.fs / 2 / torch.maximum(f0, after)).floor().unsqueeze(-1)
        summed = ((2 * harmonics + 1) * half).sin_().div_(half.sin_()).sub_(1)
        return summed.div_((2 * harmonics).sqrt()).flatten(1)


def _clamp(f0: torch.Tensor, fs: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return F0 clamped to MIN_F0 … fs / 4, and the F0 of each next frame."""
    f0 = f0.clamp(MIN_F0, fs / 4)
    return f0, torch.cat((f0[:, 1:], f0[:, -1:]), 1)
