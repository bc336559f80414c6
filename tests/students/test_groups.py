"""Groups of TTS models: equal widths stay in separate groups."""

import itertools

import pytest
import torch

from espnet_distill.structure.residual import is_stream, with_position_readers
from espnet_distill.students.find_groups import groups_of
from espnet_distill.students.size_search import Sizes

from ..conftest import CONFORMER, FASTSPEECH2, TACOTRON2, TRANSFORMER

STYLE = {"use_gst": True, "gst_tokens": 5, "gst_heads": 2, "gst_gru_units": 10}
STYLE |= {"gst_conv_layers": 1, "gst_conv_chans_list": [2], "spk_embed_dim": 6}
ADDED = {"spk_embed_integration_type": "add"}
APPENDED = {"spk_embed_integration_type": "concat"}
PREDICTORS = {"duration_predictor_chans": 20, "pitch_predictor_chans": 28}
PREDICTORS |= {"energy_predictor_chans": 36, "stop_gradient_from_pitch_predictor": True}
LAYERS = {"adim": 16, "eunits": 24, "dunits": 32, "postnet_chans": 12}
AUTOREGRESSIVE = {"dprenet_units": 40, "eprenet_conv_layers": 0, "postnet_layers": 2}
RECURRENT = {"embed_dim": 12, "eunits": 16, "econv_chans": 20, "adim": 24, "dunits": 28}
RECURRENT |= {"aconv_chans": 6, "prenet_units": 8, "postnet_chans": 36}
MODELS = {
    "fastspeech2": ("FastSpeech2", FASTSPEECH2 | LAYERS | PREDICTORS | STYLE | ADDED),
    "appended": ("FastSpeech2", FASTSPEECH2 | LAYERS | PREDICTORS | STYLE | APPENDED),
    "conformer": ("FastSpeech2", CONFORMER | LAYERS | PREDICTORS | STYLE | ADDED),
    "transformer": (
        "Transformer",
        TRANSFORMER | LAYERS | AUTOREGRESSIVE | STYLE | ADDED,
    ),
    "tacotron2": ("Tacotron2", TACOTRON2 | RECURRENT | STYLE | APPENDED),
}
DIMS = {"idim": 30, "odim": 44}


def axes_of_groups(kind, conf):
    """The axes of each group, without their lengths."""
    import espnet2.tts.fastspeech2
    import espnet2.tts.tacotron2
    import espnet2.tts.transformer

    modules = espnet2.tts.fastspeech2, espnet2.tts.tacotron2, espnet2.tts.transformer
    (cls,) = (getattr(module, kind) for module in modules if hasattr(module, kind))
    torch.manual_seed(0)
    dims = {key: conf[key] for key in DIMS}
    rest = {key: value for key, value in conf.items() if key not in DIMS}
    model = cls(**dims, **rest).eval()
    groups = groups_of(model, lambda: Sizes(cls, *dims.values(), rest).config_dims)
    groups = with_position_readers(groups, dict(model.named_parameters()))
    return {
        frozenset((axis.parameter, axis.dim) for axis in group.axes): is_stream(group)
        for group in groups
    }


def widths_of(conf):
    names = ("chans", "units", "dim")
    return [
        key
        for key, value in conf.items()
        if key.endswith(names) and isinstance(value, int)
    ]


def coincidences(name):
    """Yield configurations in which two widths are equal."""
    conf = MODELS[name][1] | DIMS
    for one, other in itertools.combinations(widths_of(conf), 2):
        value = conf["adim"] if "adim" in (one, other) else conf[one]
        yield f"{one} = {other}", conf | {one: value, other: value}


@pytest.mark.parametrize("name", MODELS)
def test_an_embedding_as_wide_as_the_model(name):
    kind, conf = MODELS[name]
    expected = axes_of_groups(kind, conf | DIMS)
    width = conf["eunits" if name == "tacotron2" else "adim"]
    equal = conf | DIMS | {"spk_embed_dim": width}
    assert axes_of_groups(kind, equal) == expected
    equal = conf | DIMS | dict.fromkeys(widths_of(conf | DIMS), 16)
    assert axes_of_groups(kind, equal) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_any_two_equal_widths(name):
    kind, conf = MODELS[name]
    expected = axes_of_groups(kind, conf | DIMS)
    for pair, equal in coincidences(name):
        assert axes_of_groups(kind, equal) == expected, pair


def test_style_tokens_are_no_stream_and_every_width_has_a_group():
    kind, conf = MODELS["fastspeech2"]
    groups = axes_of_groups(kind, conf | DIMS)
    streams = [axes for axes, stream in groups.items() if stream]
    assert len(streams) == 1
    assert ("gst.stl.mha.linear_out.weight", 0) in streams[0]
    assert ("projection.weight", 0) in streams[0]
    assert ("projection.weight", 1) not in streams[0]
    assert ("pitch_predictor.conv.0.0.weight", 1) in streams[0]
    governed = frozenset().union(*groups)
    for axis in (("gst.stl.gst_embs", 1), ("gst.ref_enc.gru.weight_hh_l0", 0)):
        assert axis in governed
