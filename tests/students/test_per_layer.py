"""Students with per-layer sizes."""

import pytest
import torch

from espnet_distill.data.dummy_batch import dummy_batch
from espnet_distill.errors import ConfigError
from espnet_distill.structure.config_dims import shapes_of
from espnet_distill.students.infer_config import ConfigSpace

from ..conftest import CONFORMER, TRANSFORMER, WIDE_FASTSPEECH2

FEED = "decoder.encoders.0.feed_forward"
ATTENTION = "encoder.encoders.0.self_attn"
SIZES = {f"{FEED}.w_1": [5, 16], f"{FEED}.w_2": [16, 5]}
LINEAR = [f"{ATTENTION}.linear_{name}" for name in ("q", "k", "v")]
ONE_HEAD = {name: [8, 16] for name in LINEAR} | {f"{ATTENTION}.linear_out": [16, 8]}


def build(name="fastspeech2_sized", conf=WIDE_FASTSPEECH2, **own):
    import espnet2.tasks.tts

    import espnet_distill

    espnet_distill.register()
    torch.manual_seed(0)
    kind = espnet2.tasks.tts.tts_choices.get_class(name)
    return kind(idim=30, odim=20, **conf, **own)


def test_every_resized_parameter_learns():
    model = build(sizes=SIZES | ONE_HEAD, heads={ATTENTION: 1})
    assert model.decoder.encoders[0].feed_forward.w_1.weight.shape == (5, 16, 1)
    attention = model.encoder.encoders[0].self_attn
    assert (attention.h, attention.d_k) == (1, 8)
    loss, _, _ = model(**dummy_batch(model))
    loss.backward()
    for name in (*SIZES, *ONE_HEAD):
        module = model.get_submodule(name)
        assert module.weight.grad.abs().sum() > 0, name


def test_without_sizes_it_equals_its_base_class():
    for conf in (WIDE_FASTSPEECH2, CONFORMER):
        sized, plain = build(conf=conf), build("fastspeech2", conf)
        assert isinstance(sized, type(plain))
        for name, tensor in plain.state_dict().items():
            assert torch.equal(sized.state_dict()[name], tensor)


@pytest.mark.parametrize(
    "name, conf, path",
    [
        ("fastspeech2", CONFORMER, "encoder.encoders.0.self_attn"),
        ("transformer", TRANSFORMER, "decoder.decoders.1.src_attn"),
    ],
)
def test_infer_config_from_shapes(name, conf, path):
    width, units = conf["adim"], conf["eunits"] - 3
    own = {
        f"encoder.encoders.0.feed_forward.{part}": size
        for part, size in (("w_1", [units, width]), ("w_2", [width, units]))
    }
    own |= {f"{path}.linear_{part}": [width // 2, width] for part in ("q", "k", "v")}
    own |= {f"{path}.linear_out": [width, width // 2]}
    if conf is CONFORMER:
        own[f"{path}.linear_pos"] = [width // 2, width]
    sized = f"{name}_sized"
    model = build(sized, conf, sizes=own, heads={path: 1})
    heads = {
        name: module.h for name, module in model.named_modules() if hasattr(module, "h")
    }
    space = ConfigSpace(name, conf, 30, 20)
    inferred, inferred_conf = space.infer_config(shapes_of(model), heads)
    assert inferred == sized
    again = build(sized, inferred_conf)
    assert shapes_of(again) == shapes_of(model)
    assert again.get_submodule(path).h == 1


@pytest.mark.parametrize(
    "own, words",
    [
        ({"sizes": {f"{FEED}.w_3": [5, 16]}}, f"no module '{FEED}.w_3'; near: {FEED}"),
        ({"sizes": {f"{FEED}.w_1": [5]}}, r"\[5\] is no \[outputs, inputs\]"),
        ({"sizes": {f"{FEED}.w_1": 5}}, r"5 is no \[outputs, inputs\]"),
        ({"sizes": {FEED: [5, 16]}}, f"{FEED}: .* is no"),
        ({"heads": {FEED: 1}}, f"heads: {FEED} is no attention"),
        ({"heads": {ATTENTION: 3}}, "16 channels of linear_q are not 3 heads"),
    ],
)
def test_invalid_sizes_are_refused(own, words):
    with pytest.raises(ConfigError, match=words) as caught:
        build(**own)
    assert "\n" not in str(caught.value)
