"""Groups: a permutation of their units does not change the outputs."""

import copy

import pytest
import torch

from espnet_distill.data.dummy_batch import dummy_batch
from espnet_distill.structure.groups import find_groups
from espnet_distill.structure.slicing import slice_groups
from espnet_distill.students.find_groups import outputs_of
from espnet_distill.teachers.taps import TapRecorder

from ..conftest import CONFORMER, FASTSPEECH, TRANSFORMER, WIDE_FASTSPEECH2

LATEST = {
    "conformer_rel_pos_type": "latest",
    "conformer_pos_enc_layer_type": "rel_pos",
    "conformer_self_attn_layer_type": "rel_selfattn",
}
MODELS = {
    "transformer": WIDE_FASTSPEECH2,
    "conv1d_linear": WIDE_FASTSPEECH2 | {"positionwise_layer_type": "conv1d-linear"},
    "conformer": CONFORMER | LATEST,
    "legacy_conformer": CONFORMER,
    "fastspeech": FASTSPEECH | {"adim": 16},
    "autoregressive": TRANSFORMER
    | {"eprenet_conv_layers": 2, "eprenet_conv_chans": 6}
    | {"postnet_layers": 3, "postnet_chans": 6, "dprenet_dropout_rate": 0.0},
    "speakers": WIDE_FASTSPEECH2 | {"spks": 3, "langs": 2},
    "embedding": WIDE_FASTSPEECH2
    | {"spk_embed_dim": 5, "spk_embed_integration_type": "concat"},
}
HEADS = 2


@pytest.fixture(params=MODELS)
def model(request):
    """A model with random weights, except the scales of positional encodings."""
    from espnet2.tts.fastspeech import FastSpeech
    from espnet2.tts.fastspeech2 import FastSpeech2
    from espnet2.tts.transformer import Transformer

    torch.manual_seed(0)
    kinds = {"fastspeech": FastSpeech, "autoregressive": Transformer}
    kind = kinds.get(request.param, FastSpeech2)
    model = kind(idim=30, odim=20, **MODELS[request.param]).eval()
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, 0.1, 0.3)
        if name.endswith("alpha"):
            torch.nn.init.zeros_(parameter)
    return model


def groups_of(model):
    traced = copy.deepcopy(model)
    return find_groups(traced, outputs_of(traced))


def outputs(model, state):
    model = copy.deepcopy(model)
    model.load_state_dict(state)
    recorder, batch = TapRecorder(model), dummy_batch(model)
    batch["text"] = torch.tensor([[3, 7, 2, 9]])
    with torch.no_grad():
        model(**batch)
    return recorder.taps.tensors


def difference(model, state):
    plain, changed = (outputs(model, one) for one in (model.state_dict(), state))
    return max((plain[name] - changed[name]).abs().max().item() for name in plain)


def shuffled(group):
    """The units in another order, each head's channels within it."""
    attention = any("_attn" in axis.parameter and axis.dim == 0 for axis in group.axes)
    blocks = HEADS if attention else 1
    units = torch.arange(group.size).view(blocks, -1).flip(0, 1)
    return units.flatten()


def test_permuted_units_give_the_same_outputs(model):
    groups = groups_of(model)
    assert len(groups) > 5
    for group in groups:
        state = slice_groups(model.state_dict(), [(group, shuffled(group))])
        state = {n: t.view_as(model.state_dict()[n]) for n, t in state.items()}
        assert difference(model, state) < 1e-4, group.axes[0].parameter
