"""FastSpeech2 with recurrent layers."""

from collections.abc import Callable

import torch
from torch import nn

from espnet_distill.errors import ConfigError
from espnet_distill.students.models.fastspeech2_variant import FastSpeech2Variant

CELLS: dict[str, Callable] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class RecurrentLayer(nn.Module):
    """A residual block of one recurrent layer of torch's.

    Each direction processes the sequence before its padding, so that padding has no
    effect. Packed sequences are equivalent, but their gradients are up to 20 times
    slower on a CPU.
    """

    def __init__(self, channels: int, cell: str, bidirectional: bool, dropout: float):
        super().__init__()
        units = channels // 2 if bidirectional else channels
        self.norm = nn.LayerNorm(channels)
        self.rnn = CELLS[cell](channels, units, batch_first=True)
        self.backward_rnn = None
        if bidirectional:
            self.backward_rnn = CELLS[cell](channels, units, batch_first=True)
        self.dropout = nn.Dropout(dropout)

    def forward(self, xs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Map (B, T, channels) with a mask (B, T, 1) to (B, T, channels)."""
        ys = self.norm(xs)
        hs, _ = self.rnn(ys)
        if self.backward_rnn is not None:
            lengths = mask.sum(dim=(1, 2))
            reversed_hs, _ = self.backward_rnn(_reversed(ys, lengths))
            hs = torch.cat([hs, _reversed(reversed_hs, lengths)], dim=-1)
        return xs + self.dropout(hs * mask)


def _reversed(xs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Reverse sequences (B, T, channels) of given lengths; padding stays in place."""
    steps = torch.arange(xs.size(1), device=xs.device)
    last = lengths[:, None] - 1
    order = torch.where(steps <= last, last - steps, steps)
    return xs.gather(1, order[..., None].expand_as(xs))


class FastSpeech2RNN(FastSpeech2Variant):
    """FastSpeech2 of recurrent layers; ``tts: fastspeech2_rnn``."""

    def __init__(
        self,
        idim: int,
        odim: int,
        adim: int = 128,
        elayers: int = 2,
        dlayers: int = 2,
        cell: str = "gru",
        bidirectional: bool = True,
        dropout_rate: float = 0.0,
        **conf,
    ):
        """Build the model.

        Args:
            idim: Number of tokens.
            odim: Mel bands.
            adim: Width; half of it in each direction of a bidirectional layer.
            elayers, dlayers: Layers of encoder and decoder.
            cell: rnn (Elman, tanh), lstm or gru.
            bidirectional: Whether layers process both directions.
            dropout_rate: Dropout after each layer.
            conf: See ``FastSpeech2Variant``.
        """
        if cell not in CELLS:
            raise ConfigError(f"tts_conf.cell: {cell!r} is not {', '.join(CELLS)}")
        if bidirectional and adim % 2:
            raise ConfigError(f"tts_conf.adim: {adim} is odd, with bidirectional: true")

        def layers(number: int) -> list[nn.Module]:
            return [
                RecurrentLayer(adim, cell, bidirectional, dropout_rate)
                for _ in range(number)
            ]

        super().__init__(idim, odim, adim, layers(elayers), layers(dlayers), **conf)
