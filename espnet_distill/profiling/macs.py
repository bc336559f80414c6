"""Parameters, size on disk and multiply-accumulates."""

from collections.abc import Sequence
from math import prod
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from espnet_distill.experiments.text_to_wave import TRAINING_ONLY
from espnet_distill.profiling.speed import Stages, inputs_of, median_of, run_synthesis
from espnet_distill.teachers.text_to_wave import decoder_of, is_text_to_wave


def parameters(tts) -> int:
    """Count the parameters of an ESPnet ``tts`` module that synthesis needs.

    VITS and JETS also hold a discriminator, a posterior encoder or an aligner, which are
    left out.
    """
    named = tts.named_parameters()
    return sum(p.numel() for name, p in named if not name.startswith(TRAINING_ONLY))


def decoder_parameters(tts) -> int | None:
    """Count the parameters of a text-to-waveform model's decoder; None of others."""
    if not is_text_to_wave(tts):
        return None
    return sum(p.numel() for p in decoder_of(tts).parameters())


def size_mb(checkpoint: Path) -> float:
    """Size of a checkpoint file in MB (1e6 bytes)."""
    return checkpoint.stat().st_size / 1e6


def _lstm_flops(inputs, input_weight, hidden_weight, *_, **__) -> int:
    """FLOPs of one layer and direction: inputs (T, B, I), weights (4H, I), (4H, H)."""
    steps, batch, _ = inputs
    return 2 * steps * batch * (prod(input_weight) + prod(hidden_weight))


def _attention_flops(query, key, value, *_, **__) -> int:
    return sdpa_flop_count(query, key, value)


# CPU kernels for which torch counts no FLOPs. A packed LSTM, or one with projections,
# runs as matrix products instead of the first kernel, which torch does count.
FORMULAS = {
    torch.ops.aten.mkldnn_rnn_layer: _lstm_flops,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops,
}


class MacCounter(FlopCounterMode):
    """Context that counts MACs of matrix products, convolutions, recurrent layers."""

    def __init__(self):
        """Start the count at 0."""
        super().__init__(display=False, custom_mapping=FORMULAS)

    @property
    def macs(self) -> float:
        """MACs counted so far."""
        return self.get_total_flops() / 2


def macs_per_second(system, sentences: Sequence[str]) -> Stages:
    """Return the MACs a second of speech of an ESPnet ``Text2Speech``.

    Medians over the sentences; None for a vocoder that is no module, as Griffin-Lim.
    """
    macs = median_of(
        [_count(system, inputs_of(system, sentence)) for sentence in sentences]
    )
    if system.vocoder is None or isinstance(system.vocoder, torch.nn.Module):
        return macs
    return Stages(macs.text2mel, None, None)


def _count(system, inputs: dict) -> Stages:
    with MacCounter() as counter:
        return run_synthesis(system, inputs, lambda: counter.macs).stages
