"""Residual streams, with attention and without."""

import pytest

import espnet_distill
from espnet_distill.structure.groups import find_groups
from espnet_distill.structure.residual import has_positions, is_stream
from espnet_distill.students.find_groups import outputs_of

from ..conftest import STEADY_FASTSPEECH2

MODELS = {
    "fastspeech2": STEADY_FASTSPEECH2,
    "fastspeech2_sepconv": {"encoder_kernel_sizes": [3], "decoder_kernel_sizes": [5]},
    "fastspeech2_convnext": {"elayers": 1, "eunits": 16, "dlayers": 1, "dunits": 16},
}


@pytest.mark.parametrize("name", MODELS)
def test_streams_of_attention_and_convolution_models(name):
    from espnet2.tasks.tts import tts_choices

    espnet_distill.register()
    width = MODELS[name].get("adim", 8)
    conf = MODELS[name] | {"adim": width}
    model = tts_choices.get_class(name)(30, 20, **conf)
    groups = find_groups(model, outputs_of(model))
    streams = [group for group in groups if is_stream(group)]
    assert {group.size for group in streams} == {width}
    embedding = [g for g in groups if any("embed" in a.parameter for a in g.axes)]
    assert embedding[0] in streams
    assert any(map(has_positions, streams)) == (name == "fastspeech2")


@pytest.mark.parametrize("name", MODELS)
def test_an_appended_speaker_embedding_parts_the_streams(name):
    """Its projection is between encoder and decoder."""
    from espnet2.tasks.tts import tts_choices

    espnet_distill.register()
    speakers = {"spk_embed_dim": 5, "spk_embed_integration_type": "concat"}
    conf = MODELS[name] | {"adim": 8} | speakers
    model = tts_choices.get_class(name)(30, 20, **conf)
    groups = find_groups(model, outputs_of(model))
    ends = ("embed.0.weight", "embed.weight", "feat_out.weight")
    streams = [
        group
        for group in groups
        if any(a.dim == 1 and a.parameter.endswith(ends) for a in group.axes)
    ]
    assert len(streams) == 2
    assert [group for group in groups if is_stream(group)] == streams
