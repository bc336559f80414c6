"""FastSpeech2 with recurrent layers."""

from collections.abc import Callable

import torch
from torch import nn

from espnet_distill.errors import ConfigError
from espnet_distill.students.models.fastspeech2_variant import FastSpeech2Variant

CELLS: dict[str, Callable] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class RecurrentLayer(nn.Module):
    """One recurrent layer of torch's, added to what it reads.

    Each direction reads a sequence from its first step on, and padding after its last,
    so that padding never matters. Packed sequences would do as much; but on a CPU their
    gradients take up to twenty times as long.
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
        ys = self.norm(xs)
        hs, _ = self.rnn(ys)
        if self.backward_rnn is not None:
            lengths = mask.sum(dim=(1, 2))
            read, _ = self.backward_rnn(_reversed(ys, lengths))
            hs = torch.cat([hs, _reversed(read, lengths)], dim=-1)
        return xs + self.dropout(hs * mask)


def _reversed(xs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Turn sequences (batch, steps, channels) round, and leave their padding."""
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
        """Initialise.

        Args:
            idim: Number of tokens.
            odim: Mel bands.
            adim: Width; a bidirectional layer has half of it in each direction.
            elayers, dlayers: Layers of encoder and decoder.
            cell: rnn (Elman, tanh), lstm or gru.
            bidirectional: Whether layers read in both directions.
            dropout_rate: Dropout after each layer.
            conf: As ``FastSpeech2Variant``.
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
