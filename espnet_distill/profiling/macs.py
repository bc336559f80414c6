"""Parameters, size on disk and multiply-accumulates."""

from collections.abc import Sequence
from math import prod
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from espnet_distill.profiling.speed import Stages, inputs_of, median_of, speak


def parameters(tts) -> int:
    """Count the parameters of an ESPnet ``tts`` module that synthesis needs.

    A GAN model (VITS, JETS) also holds its discriminator, which is left out.
    """
    return sum(p.numel() for p in getattr(tts, "generator", tts).parameters())


def size_mb(checkpoint: Path) -> float:
    """Size of a checkpoint file in MB (1e6 bytes)."""
    return checkpoint.stat().st_size / 1e6


def _lstm_flops(inputs, input_weight, hidden_weight, *_, **__) -> int:
    """FLOPs of one layer and direction: inputs (T, B, I), weights (4H, I), (4H, H)."""
    steps, batch, _ = inputs
    return 2 * steps * batch * (prod(input_weight) + prod(hidden_weight))


def _attention_flops(query, key, value, *_, **__) -> int:
    return sdpa_flop_count(query, key, value)


# The kernels of the CPU that torch counts as nothing. An LSTM that is packed or has
# projections does not run on the first, but as matrix products, which are counted.
FORMULAS = {
    torch.ops.aten.mkldnn_rnn_layer: _lstm_flops,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops,
}


class MacCounter(FlopCounterMode):
    """Counts the MACs of matrix products, convolutions and recurrent layers within."""

    def __init__(self):
        """Begin at nothing."""
        super().__init__(display=False, custom_mapping=FORMULAS)

    @property
    def macs(self) -> float:
        """What has been counted so far."""
        return self.get_total_flops() / 2


def macs_per_second(system, sentences: Sequence[str]) -> Stages:
    """Count an ESPnet ``Text2Speech``'s MACs a second of speech.

    The median over sentences; None for a vocoder that is no module, as Griffin-Lim.
    """
    macs = median_of([_count(system, inputs_of(system, one)) for one in sentences])
    if system.vocoder is None or isinstance(system.vocoder, torch.nn.Module):
        return macs
    return Stages(macs.text2mel, None, None)


def _count(system, inputs: dict) -> Stages:
    with MacCounter() as counter:
        return speak(system, inputs, lambda: counter.macs).stages
