"""FastSpeech2 with recurrent layers."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from espnet_distill.errors import ConfigError
from espnet_distill.students.fastspeech2 import FastSpeech2Variant

CELLS: dict[str, Callable] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class RecurrentLayer(nn.Module):
    """One recurrent layer of torch's, packed, added to what it reads."""

    def __init__(self, channels: int, cell: str, bidirectional: bool, dropout: float):
        super().__init__()
        units = channels // 2 if bidirectional else channels
        self.norm = nn.LayerNorm(channels)
        self.rnn = CELLS[cell](
            channels, units, batch_first=True, bidirectional=bidirectional
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, xs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        lengths = mask.sum(dim=(1, 2)).cpu()
        packed = pack_padded_sequence(
            self.norm(xs), lengths, batch_first=True, enforce_sorted=False
        )
        outputs, _ = self.rnn(packed)
        hs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=xs.size(1))
        return xs + self.dropout(hs)


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
