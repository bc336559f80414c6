"""Head groups: slicing and masking heads, or channels of heads, are equivalent."""

import copy

import pytest
import torch
from espnet2.legacy.nets.pytorch_backend.transformer.attention import (
    LegacyRelPositionMultiHeadedAttention,
    MultiHeadedAttention,
    RelPositionMultiHeadedAttention,
)
from espnet2.tts.fastspeech2 import FastSpeech2
from espnet2.tts.gst.style_encoder import MultiHeadedAttention as StyleAttention
from espnet2.tts.prodiff import ProDiff
from espnet2.tts.tacotron2 import Tacotron2
from espnet2.tts.transformer import Transformer
from torch import nn

from espnet_distill.structure.heads import (
    find_channel_groups,
    find_head_groups,
    is_multi_head,
    scale_queries,
)
from espnet_distill.structure.slicing import mask_groups, slice_groups

from ..conftest import CONFORMER, FASTSPEECH2, PRODIFF, TACOTRON2, TRANSFORMER

HEADS, WIDTH, FRAMES = 4, 12, 5


@pytest.fixture(params=[MultiHeadedAttention, RelPositionMultiHeadedAttention])
def attention(request):
    torch.manual_seed(0)
    attention = request.param(HEADS, WIDTH, 0.0).eval()
    for parameter in attention.parameters():
        nn.init.normal_(parameter, 0.0, 0.3)
    return attention


def output(attention):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, FRAMES, WIDTH, generator=generator)
    inputs = [x, x, x]
    if hasattr(attention, "linear_pos"):
        inputs.append(torch.randn(1, 2 * FRAMES - 1, WIDTH, generator=generator))
    with torch.no_grad():
        return attention(*inputs, None)


def with_state(attention, state):
    """The attention with the weights and the number of heads of another state."""
    other = copy.deepcopy(attention)
    for name, tensor in state.items():
        module, _, last = name.rpartition(".")
        setattr(other.get_submodule(module), last, nn.Parameter(tensor))
    other.h = len(state["linear_out.weight"].T) // attention.d_k
    return other


@pytest.mark.parametrize("kept", [[2, 0, 3, 1], [1, 3], [0]])
def test_sliced_and_masked_heads_are_equal(attention, kept):
    (group,) = find_head_groups(attention)
    assert group.size == HEADS
    units = [(group, torch.tensor(kept))]
    sliced = with_state(attention, slice_groups(attention.state_dict(), units))
    masked = with_state(attention, mask_groups(attention.state_dict(), units))
    torch.testing.assert_close(output(sliced), output(masked))
    changed = not torch.allclose(output(sliced), output(attention), atol=1e-5)
    assert changed == (len(kept) < HEADS)


@pytest.mark.parametrize("kept", [[[2, 0], [0, 1], [1, 2], [0, 2]], [[1]] * HEADS])
def test_sliced_and_masked_channels_of_heads_are_equal(attention, kept):
    (groups,) = find_channel_groups(attention)
    assert [group.size for group in groups] == [WIDTH // HEADS] * HEADS
    units = [(group, torch.tensor(channels)) for group, channels in zip(groups, kept)]
    masked = with_state(attention, mask_groups(attention.state_dict(), units))
    state, channels = slice_groups(attention.state_dict(), units), len(kept[0])
    scale_queries(state, "", attention.d_k, channels)
    for name in {"pos_bias_u", "pos_bias_v"} & set(state):
        state[name] = state[name].view(HEADS, channels)
    sliced = with_state(attention, state)
    sliced.h, sliced.d_k = HEADS, channels
    torch.testing.assert_close(output(sliced), output(masked))
    assert not torch.allclose(output(sliced), output(attention), atol=1e-5)


def test_every_attention_layer_has_a_group():
    model = nn.ModuleList(MultiHeadedAttention(2, 4, 0.0) for _ in range(3))
    groups = find_head_groups(model)
    assert [g.axes[0].parameter for g in groups] == [
        f"{number}.linear_q.weight" for number in range(3)
    ]


def subclasses(kind):
    return {kind}.union(*map(subclasses, kind.__subclasses__()))


def test_every_attention_class_of_espnet_is_recognized():
    built = {
        StyleAttention: lambda: StyleAttention(4, 4, 4, 2, 4),
        **{
            kind: lambda kind=kind: kind(2, 4, 0.0)
            for kind in (
                MultiHeadedAttention,
                LegacyRelPositionMultiHeadedAttention,
                RelPositionMultiHeadedAttention,
            )
        },
    }
    assert subclasses(MultiHeadedAttention) == built.keys()
    assert all(is_multi_head(build()) for build in built.values())


@pytest.mark.parametrize(
    "kind, conf",
    [
        (FastSpeech2, FASTSPEECH2 | {"use_gst": True}),
        (FastSpeech2, CONFORMER),
        (FastSpeech2, CONFORMER | {"conformer_rel_pos_type": "legacy"}),
        (ProDiff, PRODIFF),
        (Tacotron2, TACOTRON2),
        (Transformer, TRANSFORMER),
    ],
)
def test_no_other_module_is_recognized_as_attention(kind, conf):
    modules = dict(kind(idim=30, odim=20, **conf).named_modules())
    found = [name for name, module in modules.items() if is_multi_head(module)]
    expected = [
        name
        for name, module in modules.items()
        if isinstance(module, MultiHeadedAttention)
    ]
    assert found == expected and (expected or kind is Tacotron2)
