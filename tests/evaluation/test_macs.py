"""MACs against what can be counted by hand."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from espnet_distill.profiling.macs import MacCounter, macs_per_second
from espnet_distill.profiling.speed import inputs_of

STEPS, BATCH, INPUTS, UNITS = 11, 2, 5, 7
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def count(run, *arguments):
    with MacCounter() as counter:
        run(*arguments)
    return counter.macs


def sequences():
    return torch.randn(STEPS, BATCH, INPUTS)


@pytest.mark.parametrize("kind", GATES)
def test_a_recurrent_layer(kind):
    layer = getattr(nn, kind)(INPUTS, UNITS)
    a_step = GATES[kind] * UNITS * (INPUTS + UNITS)
    assert count(layer, sequences()) == STEPS * BATCH * a_step
    assert count(layer, sequences()[:, 0]) == STEPS * a_step


@pytest.mark.parametrize("kind", GATES)
def test_layers_in_both_directions(kind):
    layers = getattr(nn, kind)(INPUTS, UNITS, 2, bidirectional=True, batch_first=True)
    first, second = INPUTS + UNITS, 2 * UNITS + UNITS
    a_step = 2 * GATES[kind] * UNITS * (first + second)
    assert count(layers, sequences().transpose(0, 1)) == STEPS * BATCH * a_step


@pytest.mark.parametrize("kind", GATES)
def test_packed_sequences_exclude_padding(kind):
    layer = getattr(nn, kind)(INPUTS, UNITS)
    packed = pack_padded_sequence(sequences(), [STEPS, 6])
    assert count(layer, packed) == (STEPS + 6) * GATES[kind] * UNITS * (INPUTS + UNITS)


def test_an_lstm_with_a_projection():
    layer = nn.LSTM(INPUTS, UNITS, proj_size=3)
    a_step = 4 * UNITS * (INPUTS + 3) + UNITS * 3
    assert count(layer, sequences()) == STEPS * BATCH * a_step


def test_an_lstm_counts_the_same_without_the_fused_kernel():
    layer = nn.LSTM(INPUTS, UNITS, 2, bidirectional=True)
    fused = count(layer, sequences())
    with torch.backends.mkldnn.flags(enabled=False):
        assert count(layer, sequences()) == fused


@pytest.mark.parametrize("kind", GATES)
def test_a_cell(kind):
    cell = getattr(nn, f"{kind}Cell")(INPUTS, UNITS)
    macs = BATCH * GATES[kind] * UNITS * (INPUTS + UNITS)
    assert count(cell, sequences()[0]) == macs


def test_attention():
    query, key = torch.randn(2, 4, 9, 8), torch.randn(2, 4, 5, 8)
    attention = nn.functional.scaled_dot_product_attention
    assert count(attention, query, key, key) == 2 * 4 * 9 * 5 * 8 * 2


def test_macs_per_second_of_speech(systems):
    system, sentence = systems["teacher"], "a short sentence"
    found = macs_per_second(system, [sentence])
    inputs = inputs_of(system, sentence)
    seconds = len(system(**inputs)["wav"]) / system.fs
    alone = count(lambda: system.model.inference(**inputs, **system.decode_conf))
    assert found.text2mel == pytest.approx(alone / seconds)
    assert found.mel2wav is None and found.text2wav is None  # Griffin-Lim


def test_a_vocoder_is_counted_apart(systems, monkeypatch):
    class Vocoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.upsample = nn.Linear(20, 128)

        def forward(self, mels):
            return self.upsample(mels).flatten()

    system = systems["student"]
    fs = system.fs
    monkeypatch.setattr(system, "vocoder", Vocoder())
    monkeypatch.setattr(system.tts, "fs", fs, raising=False)
    found = macs_per_second(system, ["a short sentence"])
    assert found.mel2wav == 20 * fs  # a MAC a band and sample
    assert found.text2wav == pytest.approx(found.text2mel + found.mel2wav)
