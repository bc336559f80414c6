"""Training in bfloat16 on a CPU."""

import logging

import torch
from torch import nn

from espnet_distill.training.callback import Callback


def has_bfloat16_instructions() -> bool:
    """Return whether the CPU multiplies bfloat16 matrices itself."""
    capabilities = torch.cpu.get_capabilities()
    return any("bf16" in name and found for name, found in capabilities.items())


class Bfloat16(Callback):
    """Run the model's forward pass under autocast to bfloat16 on a CPU.

    Weights, gradients and the optimizer's state stay float32, as do losses, normalization
    and softmax. ESPnet's `use_amp` does the same on a GPU, and nothing on a CPU. Where the
    CPU has no bfloat16 instructions, which makes it slower, training is in float32.
    """

    def __init__(self):
        self.autocast = torch.autocast(
            "cpu", dtype=torch.bfloat16, enabled=has_bfloat16_instructions()
        )
        if not self.autocast._enabled:
            logging.warning("bfloat16: this CPU has no such instructions: float32")

    def attach(self, model: nn.Module) -> None:
        model.register_forward_pre_hook(self._enter)
        model.register_forward_hook(self._exit, always_call=True)

    def _enter(self, model: nn.Module, inputs) -> None:
        self.autocast.__enter__()

    def _exit(self, model: nn.Module, inputs, outputs) -> None:
        self.autocast.__exit__(None, None, None)
