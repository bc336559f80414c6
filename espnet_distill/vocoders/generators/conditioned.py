"""A generator with a global conditioning of its input."""

import torch

from espnet_distill.vocoders.generators.base import Generator

INITIAL_DEVIATION = 0.02


class ConditionedGenerator(Generator, torch.nn.Module):
    """Adds a projection of a speaker's or language's vector to each input frame.

    Args:
        generator: (B, in_channels, T) to (B, 1, T * upsample_factor).
        condition_channels: Size of the vector.
    """

    def __init__(self, generator: Generator, condition_channels: int):
        super().__init__()
        self.generator = generator
        self.in_channels = generator.in_channels
        self.upsample_factor = generator.upsample_factor
        self.predicts_f0 = generator.predicts_f0
        self.has_free_phase = generator.has_free_phase
        self.projection = torch.nn.Linear(
            condition_channels, self.in_channels, bias=False
        )
        torch.nn.init.normal_(self.projection.weight, std=INITIAL_DEVIATION)

    def forward(self, c: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """Turn inputs (B, in_channels, T) into waveforms (B, 1, T * upsample_factor).

        Args:
            c: The inputs.
            condition: The vectors (B, condition_channels).
        """
        return self.generator(self._conditioned(c, condition))

    def training_forward(
        self, c: torch.Tensor, f0: torch.Tensor | None, condition: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Return the taps of a training step; see `Generator.training_forward`."""
        return self.generator.training_forward(self._conditioned(c, condition), f0)

    def remove_weight_norm(self) -> None:
        """Remove the weight normalization of the generator, if it has one."""
        if hasattr(self.generator, "remove_weight_norm"):
            self.generator.remove_weight_norm()

    def _conditioned(self, c: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return c + self.projection(condition).unsqueeze(-1)
