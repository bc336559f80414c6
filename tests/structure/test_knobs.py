"""Knobs are found by building, and predict the parameters of any size exactly."""

import pytest
import torch
from espnet2.tts.fastspeech2 import FastSpeech2
from espnet2.tts.tacotron2 import Tacotron2
from espnet2.tts.transformer import Transformer

from espnet_distill.structure.knobs import Widths, count, find_knobs, shapes_of

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
    knobs = find_knobs(build, build.conf)
    widths = [knob for knob in knobs if not knob.is_depth]
    assert len(widths) >= 3
    counted = Widths(shapes_of(build({})), widths)
    for factor in (1, 2, 3):
        sizes = {knob.key: factor * knob.value for knob in widths}
        assert counted.parameters(sizes) == count(shapes_of(build(sizes)))
    for knob in widths:
        sizes = {knob.key: 2 * knob.value}
        assert counted.parameters(sizes) == count(shapes_of(build(sizes))), knob.key


def test_the_residual_stream_reaches_furthest():
    build, conf = MODELS["fastspeech2"]
    knobs = find_knobs(lambda sizes: build(idim=30, odim=20, **(conf | sizes)), conf)
    widths = [knob for knob in knobs if not knob.is_depth]
    counted = Widths(shapes_of(build(idim=30, odim=20, **conf)), widths)
    assert max(widths, key=counted.reach).key == "adim"


def test_what_is_a_knob_and_what_is_not():
    conf = MODELS["fastspeech2"][1] | {
        "postnet_layers": 4,
        "positionwise_conv_kernel_size": 3,
        "aheads": 2,
        "pitch_embed_kernel_size": 9,
        "use_masking": True,
    }
    knobs = find_knobs(
        lambda sizes: FastSpeech2(idim=30, odim=20, **(conf | sizes)), conf
    )
    found = {knob.key: knob.is_depth for knob in knobs}
    assert found["elayers"] and found["postnet_layers"]
    assert not found["adim"] and not found["eunits"] and not found["postnet_chans"]
    others = {"aheads", "use_masking", "pitch_embed_kernel_size"}
    assert not others & set(found)
