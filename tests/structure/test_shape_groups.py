"""Groups from shapes: slicing and masking them are equivalent."""

import pytest
import torch

from espnet_distill.data.dummy_batch import dummy_batch
from espnet_distill.structure.groups import can_be_traced
from espnet_distill.structure.shape_groups import find_tied_groups
from espnet_distill.structure.slicing import cut, mask_groups
from espnet_distill.students.find_groups import outputs_of
from espnet_distill.students.size_search import Sizes
from espnet_distill.teachers.taps import TapRecorder

from ..conftest import TACOTRON2

SIZES = {"embed_dim": 10, "eunits": 16, "econv_chans": 6, "adim": 8, "aconv_chans": 4}
SIZES |= {"dunits": 12, "prenet_units": 6, "postnet_chans": 10}
LAYERS = {"elayers": 2, "econv_layers": 2, "dlayers": 2, "postnet_layers": 3}
CONF = TACOTRON2 | SIZES | LAYERS | {"dropout_rate": 0.0}
STYLE = {"use_gst": True, "gst_tokens": 5, "gst_heads": 4, "gst_gru_units": 10}
STYLE |= {"gst_conv_layers": 1, "gst_conv_chans_list": [2]}
WIDE = {"eunits": 256, "dunits": 1024, "prenet_units": 256, "spk_embed_dim": 192}
SPEAKERS = {"spks": 3, "spk_embed_dim": 5, "spk_embed_integration_type": "concat"}


def build(conf):
    from espnet2.tts.tacotron2 import Tacotron2

    torch.manual_seed(0)
    model = Tacotron2(idim=30, odim=20, **conf).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    return model


def outputs(model):
    recorder, batch = TapRecorder(model), dummy_batch(model)
    torch.manual_seed(0)  # the prenet has dropout at inference
    with torch.no_grad():
        model(**batch)
    return recorder.taps.tensors


@pytest.fixture(params=[{}, SPEAKERS, {"use_concate": False}], ids=str)
def conf(request):
    return CONF | request.param


def widths_of(conf):
    from espnet2.tts.tacotron2 import Tacotron2

    return [
        config_dim
        for config_dim in Sizes(Tacotron2, 30, 20, conf).config_dims
        if not config_dim.is_depth
    ]


def groups_of(conf):
    model = build(conf)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    config_dims = widths_of(conf)
    groups = find_tied_groups(model, config_dims, outputs_of(model))
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
    return {config_dim.key: group for config_dim, group in zip(config_dims, groups)}


def test_every_width_has_a_group(conf):
    assert not can_be_traced(build(conf))
    groups = groups_of(conf)
    assert {key: conf[key] for key in groups} == {key: conf[key] for key in SIZES}
    assert groups.pop("eunits").size == conf["eunits"] // 2  # in each direction
    assert all(group.size == conf[key] for key, group in groups.items())


def test_masked_and_cut_are_equal(conf):
    for key, group in groups_of(conf).items():
        if key == "prenet_units":
            continue  # its dropout draws differ in a narrower layer
        units = torch.randperm(group.size)[: group.size // 2].sort().values
        whole = build(conf)
        slim_conf, state = cut(whole, conf, widths_of(conf), [(group, units)])
        assert slim_conf == conf | {key: conf[key] // 2}
        slim = build(slim_conf)
        slim.load_state_dict(state)
        whole.load_state_dict(mask_groups(whole.state_dict(), [(group, units)]))
        sliced, masked = outputs(slim), outputs(whole)
        for name in masked:
            torch.testing.assert_close(
                sliced[name], masked[name], atol=1e-5, rtol=1e-4, msg=f"{key} {name}"
            )


def test_wide_gates_are_not_saturated():
    conf = CONF | WIDE | {"econv_chans": 64, "spk_embed_integration_type": "concat"}
    axes = {name: axes_of(group) for name, group in groups_of(conf).items()}
    cell = "dec.lstm.0.cell.weight_ih", 1
    assert axes["eunits"][cell] == list(range(256))
    assert axes["prenet_units"][cell] == list(range(448, 704))


@pytest.mark.parametrize(
    "conf, weight",
    [
        ({"prenet_layers": 0}, "dec.lstm.0.cell.weight_ih"),
        ({"atype": "forward_ta"}, "dec.att.mlp_ta.weight"),
    ],
    ids=["no prenet", "transition agent"],
)
def test_units_beside_frames_are_located(conf, weight):
    """Frames are concatenated to the encoder's units."""
    axes = axes_of(groups_of(CONF | conf)["eunits"])
    assert axes[weight, 1] == list(range(SIZES["eunits"]))


@pytest.mark.parametrize("integration", ["add", "concat"])
def test_style_tokens_go_with_the_encoder(integration):
    speakers = {"spk_embed_dim": 16, "spk_embed_integration_type": integration}
    conf = CONF | STYLE | speakers
    groups = groups_of(conf)
    assert groups.keys() == {*SIZES, "gst_gru_units"}
    assert groups["eunits"].size == 4  # a head's channels
    kept = [(groups["eunits"], torch.tensor([1, 3]))]
    slim_conf, state = cut(build(conf), conf, widths_of(conf), kept)
    assert slim_conf["eunits"] == 8
    build(slim_conf).load_state_dict(state)


def axes_of(group):
    return {(a.parameter, a.dim): a.places.flatten().tolist() for a in group.axes}
