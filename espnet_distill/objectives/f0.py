import torch

from espnet_distill.objectives.base import Objective, Taps


class F0(Objective):
    """Mean |log F0 - log F0'| of the frames where the teacher's waveform has one.

    Of a vocoder that makes its own pulses: it says their logarithm (B, T), the dump of its
    teacher's waveforms has F0 in Hz (B, T), 0 where there is none.
    """

    taps = ("log_f0",)
    targets = ("f0",)

    def forward(self, student: Taps, teacher: Taps, shares=None) -> torch.Tensor:
        f0 = teacher["f0"]
        voiced = (f0 > 0).to(f0.dtype)
        error = (student["log_f0"] - f0.clamp(min=1.0).log()).abs()
        return (error * voiced).sum() / voiced.sum().clamp(min=1.0)
