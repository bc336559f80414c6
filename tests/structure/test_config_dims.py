"""Config dimensions: inference by building, and exact parameter counts at any size."""

import pytest
import torch
from espnet2.tts.fastspeech2 import FastSpeech2
from espnet2.tts.tacotron2 import Tacotron2
from espnet2.tts.transformer import Transformer

from espnet_distill.structure.config_dims import (
    WidthModel,
    count,
    find_config_dims,
    shapes_of,
)

from ..conftest import CONFORMER, TACOTRON2, TRANSFORMER, WIDE_FASTSPEECH2

MODELS = {
    "fastspeech2": (FastSpeech2, WIDE_FASTSPEECH2 | {"adim": 32, "elayers": 2}),
    "conformer": (FastSpeech2, CONFORMER | {"adim": 32}),
    "embedding": (
        FastSpeech2,
        WIDE_FASTSPEECH2
        | {"adim": 32, "spk_embed_dim": 5, "spk_embed_integration_type": "concat"},
    ),
    "tacotron2": (Tacotron2, TACOTRON2 | {"eunits": 16, "dlayers": 2}),
    "transformer": (Transformer, TRANSFORMER | {"adim": 32}),
}


@pytest.fixture(params=MODELS)
def build(request):
    kind, conf = MODELS[request.param]

    def build(sizes):
        with torch.device("meta"):
            return kind(idim=30, odim=20, **(conf | sizes))

    build.conf = conf
    return build


def test_parameters_of_any_widths(build):
    config_dims = find_config_dims(build, build.conf)
    widths = [config_dim for config_dim in config_dims if not config_dim.is_depth]
    assert len(widths) >= 3
    counted = WidthModel(shapes_of(build({})), widths)
    for factor in (1, 2, 3):
        sizes = {config_dim.key: factor * config_dim.value for config_dim in widths}
        assert counted.parameters(sizes) == count(shapes_of(build(sizes)))
    for config_dim in widths:
        sizes = {config_dim.key: 2 * config_dim.value}
        assert counted.parameters(sizes) == count(shapes_of(build(sizes))), (
            config_dim.key
        )


def test_residual_stream_has_the_largest_reach():
    build, conf = MODELS["fastspeech2"]
    config_dims = find_config_dims(
        lambda sizes: build(idim=30, odim=20, **(conf | sizes)), conf
    )
    widths = [config_dim for config_dim in config_dims if not config_dim.is_depth]
    counted = WidthModel(shapes_of(build(idim=30, odim=20, **conf)), widths)
    assert max(widths, key=counted.reach).key == "adim"


def test_which_keys_are_config_dims():
    conf = MODELS["fastspeech2"][1] | {
        "postnet_layers": 4,
        "positionwise_conv_kernel_size": 3,
        "aheads": 2,
        "pitch_embed_kernel_size": 9,
        "use_masking": True,
    }
    config_dims = find_config_dims(
        lambda sizes: FastSpeech2(idim=30, odim=20, **(conf | sizes)), conf
    )
    found = {config_dim.key: config_dim.is_depth for config_dim in config_dims}
    assert found["elayers"] and found["postnet_layers"]
    assert not found["adim"] and not found["eunits"] and not found["postnet_chans"]
    others = {"aheads", "use_masking", "pitch_embed_kernel_size"}
    assert not others & set(found)
