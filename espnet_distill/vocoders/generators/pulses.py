"""A train of pulses, each of them all harmonics of a fundamental frequency."""

import math

import torch

NEAREST = 1e-4  # half-phase, below which a pulse is taken for flat


LOWEST = 20.0  # Hz


class PulseTrain(torch.nn.Module):
    """Cosines at all multiples of F0 below half the rate, of a power of 1 together.

    With K of them at a phase φ they sum up to (sin((2K + 1) φ/2) / sin(φ/2) - 1) / 2
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
        """Cycles from the first frame to each, and to the end (B, T + 1), of F0 (B, T)."""
        f0, after = _bounded(f0, self.fs)
        passed = (f0.double() + after) * (self.hop_length / (2 * self.fs))
        return torch.nn.functional.pad(passed.cumsum(1), (1, 0))

    def forward(self, f0: torch.Tensor, begun: torch.Tensor) -> torch.Tensor:
        """Turn F0 into pulses (B, T * hop_length).

        Args:
            f0: In Hz, at the first sample of each frame (B, T).
            begun: Cycles that have passed before each frame (B, T).
        """
        f0, after = _bounded(f0, self.fs)
        step = (f0 / self.fs).unsqueeze(-1)
        bend = ((after - f0) / (2 * self.hop_length * self.fs)).unsqueeze(-1)
        begun = (begun - begun.floor()).to(f0.dtype).unsqueeze(-1)
        cycles = begun + (step + bend * self.samples) * self.samples
        half = (cycles - cycles.round()).abs_().mul_(math.pi).clamp_(min=NEAREST)
        harmonics = (self.fs / 2 / torch.maximum(f0, after)).floor().unsqueeze(-1)
        summed = ((2 * harmonics + 1) * half).sin_().div_(half.sin_()).sub_(1)
        return summed.div_((2 * harmonics).sqrt()).flatten(1)


def _bounded(f0: torch.Tensor, fs: float) -> tuple[torch.Tensor, torch.Tensor]:
    """F0 within what can be spoken, and that of the frame after each."""
    f0 = f0.clamp(LOWEST, fs / 4)
    return f0, torch.cat((f0[:, 1:], f0[:, -1:]), 1)
