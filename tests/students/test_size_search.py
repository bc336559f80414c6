"""Size search: parameters of the shapes, counted on the model."""

import pytest
import torch
from espnet2.tts.fastspeech import FastSpeech
from espnet2.tts.fastspeech2 import FastSpeech2
from espnet2.tts.tacotron2 import Tacotron2
from espnet2.tts.transformer import Transformer

from espnet_distill.errors import ConfigError
from espnet_distill.students.size_search import TOLERANCE, Sizes

FASTSPEECH2 = {"adim": 384, "aheads": 2, "elayers": 4, "dlayers": 4}
CONFORMER = FASTSPEECH2 | {"encoder_type": "conformer", "decoder_type": "conformer"}
TEACHERS = {
    "fastspeech2": (FastSpeech2, FASTSPEECH2),
    "conformer": (FastSpeech2, CONFORMER),
    "fastspeech": (FastSpeech, {}),
    "tacotron2": (Tacotron2, {}),
    "transformer": (Transformer, {}),
}


@pytest.fixture(scope="module", params=TEACHERS)
def sizes(request):
    kind, conf = TEACHERS[request.param]
    return Sizes(kind, 70, 80, conf)


@pytest.fixture(scope="module")
def fastspeech2():
    return Sizes(FastSpeech2, 70, 80, FASTSPEECH2)


def parameters(sizes, shape):
    with torch.device("meta"):
        model = sizes._kind(70, 80, **(sizes.conf | shape.sizes))
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("pressure", [0.1, 0.3, 0.5, 0.8, 0.95])
def test_pressure_is_met(sizes, pressure):
    target = round((1 - pressure) * sizes.parameters)
    for shape in sizes.shapes(target)[:3]:
        assert parameters(sizes, shape) == shape.parameters
        assert abs(shape.parameters / target - 1) <= TOLERANCE
        assert all(size <= sizes.conf[key] for key, size in shape.sizes.items())


def test_the_first_shape_is_like_the_teacher(fastspeech2):
    shape = fastspeech2.shapes(fastspeech2.parameters // 5)[0]
    assert shape.sizes["elayers"] == shape.sizes["dlayers"] == 4
    ratio = shape.sizes["adim"] / 384
    assert shape.sizes["eunits"] / fastspeech2.conf["eunits"] == pytest.approx(
        ratio, rel=0.05
    )


def test_keep_and_floors(fastspeech2):
    target = fastspeech2.parameters // 3
    for shape in fastspeech2.shapes(target, ("depth", "adim")):
        assert not {"adim", "elayers", "postnet_layers"} & set(shape.sizes)
    floors = {"postnet_chans": 200, "adim": 300}
    for shape in fastspeech2.shapes(target, floors=floors):
        assert all(shape.sizes[key] >= least for key, least in floors.items())


def test_impossible_sizes_and_unknown_keys_are_refused(fastspeech2):
    with pytest.raises(
        ConfigError, match="no shape has 1,000 .* nearest has .* pressure"
    ):
        fastspeech2.shapes(1000)
    with pytest.raises(
        ConfigError, match="kernel: is no size of this class; there are adim"
    ):
        fastspeech2.shapes(10**7, ("kernel",))
