"""Every tap is the tensor that the model computed, with its length."""

import pytest
import torch

from espnet_distill.errors import ConfigError
from espnet_distill.teachers.taps import TapRecorder, probe

from ..conftest import (
    CONFORMER,
    FASTSPEECH,
    FASTSPEECH2,
    PRODIFF,
    TACOTRON2,
    TRANSFORMER,
    load_stock,
    make_experiment,
    random_batch,
)

MODELS = {
    "fastspeech2": {},
    "halved": {"tts_conf": FASTSPEECH2 | {"reduction_factor": 2}},
    "conformer": {"tts_conf": CONFORMER},
    "tacotron2": {"tts": "tacotron2", "tts_conf": TACOTRON2},
    "halved_tacotron2": {
        "tts": "tacotron2",
        "tts_conf": TACOTRON2 | {"reduction_factor": 2},
    },
    "transformer": {"tts": "transformer", "tts_conf": TRANSFORMER},
    "fastspeech": {"tts": "fastspeech", "tts_conf": FASTSPEECH},
    "prodiff": {"tts": "prodiff", "tts_conf": PRODIFF},
}


AUTOREGRESSIVE = ("tacotron2", "transformer")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    root = tmp_path_factory.mktemp("taps")

    def build(name):
        if not (root / name).exists():
            make_experiment(root / name, **MODELS[name])
        return load_stock(root / name)

    return build


def run(model, batch):
    with torch.no_grad():
        model(**{name: value.clone() for name, value in batch.items()})


def batch_of(name):
    batch = random_batch(with_durations=name.split("_")[-1] not in AUTOREGRESSIVE)
    if name == "halved":  # durations count decoder steps
        for row, frames in zip(batch["durations"], (40, 25)):
            row.copy_(torch.div(row, 2, rounding_mode="floor"))
            row[0] += frames // 2 - row.sum()
    return batch


@pytest.mark.parametrize(
    "name",
    ["fastspeech2", "conformer", "tacotron2", "transformer", "fastspeech", "prodiff"],
)
def test_taps_are_what_the_model_returned(build, name):
    model = build(name).eval()
    returned = []
    forward = model.tts._forward

    def keep(*args, **kwargs):
        torch.manual_seed(0)  # Tacotron2's prenet drops out even in eval mode
        returned.extend(forward(*args, **kwargs))
        return returned

    model.tts._forward = keep
    run(model, batch_of(name))
    again = build(name).eval()
    recorder = TapRecorder(again.tts, ("encoder", "attention"))
    torch.manual_seed(0)
    run(again, batch_of(name))
    order = {
        "tacotron2": ["mel_after", "mel_before", "stop", "attention"],
        "transformer": ["mel_after", "mel_before", "stop"],
        "fastspeech": ["mel_before", "mel_after", "duration"],
    }.get(name, ["mel_before", "mel_after", "duration", "pitch", "energy"])
    for tap, value in zip(order, returned, strict=True):
        torch.testing.assert_close(recorder.taps[tap], value)
    gathered = ["attention"] if name == "transformer" else []
    assert list(recorder.taps.tensors) == [*order, "encoder", *gathered]


@pytest.mark.parametrize(
    "name, modules",
    [
        (
            "fastspeech2",
            ("encoder", "decoder", "encoder.encoders.0", "decoder.after_norm"),
        ),
        (
            "conformer",
            ("encoder", "decoder", "encoder.encoders.0", "decoder.encoders.0"),
        ),
        ("halved", ("encoder", "decoder", "decoder.encoders.0.feed_forward")),
        ("tacotron2", ("encoder", "enc.embed")),
        ("halved_tacotron2", ("encoder",)),
        ("transformer", ("encoder", "decoder", "attention")),
        ("fastspeech", ("encoder", "decoder")),
        ("prodiff", ("encoder",)),
    ],
)
def test_every_tap_has_its_lengths(build, name, modules):
    model = build(name)
    recorder = TapRecorder(model.tts, modules)
    probe(model.tts, recorder)
    run(model.eval(), batch_of(name))
    tokens, frames = torch.tensor([6, 4]), torch.tensor([40, 25])
    reduction = 2 if "halved" in name else 1
    steps = frames // reduction
    lengths = {"decoder": steps, "mel": steps * reduction, "stop": steps * reduction}
    lengths["attention"] = steps
    for tap, tensor in recorder.taps.tensors.items():
        if tap == "attention":
            assert tensor.shape == (2, steps.max(), 6)
            assert recorder.taps.lengths["attention_tokens"].tolist() == [6, 4]
        expected = lengths.get(tap.split(".")[0].split("_")[0], tokens)
        assert recorder.taps.lengths[tap].tolist() == expected.tolist(), tap
        assert tensor.size(1) == expected.max(), tap


def test_a_module_is_tapped_at_its_output(build):
    model = build("fastspeech2").eval()
    outputs = []
    model.tts.decoder.after_norm.register_forward_hook(
        lambda module, args, output: outputs.append(output)
    )
    recorder = TapRecorder(model.tts, ("decoder", "decoder.after_norm"))
    run(model, random_batch())
    assert torch.equal(recorder.taps["decoder"], outputs[0])
    assert torch.equal(recorder.taps["decoder.after_norm"], outputs[0])


def test_tokens_and_frames_of_one_number_are_distinguished(build):
    """The probe settles what a tap counts, before a batch could confuse it."""
    model = build("fastspeech2").eval()
    recorder = TapRecorder(model.tts, ("decoder",))
    probe(model.tts, recorder)
    run(model, random_batch(utterances=((7, 8), (3, 7))))
    assert recorder.taps.lengths["decoder"].tolist() == [8, 7]


def test_gradients_pass_through(build):
    model = build("fastspeech2").train()
    recorder = TapRecorder(model.tts, ("encoder",))
    model(**random_batch())
    recorder.taps["encoder"].sum().backward()
    assert model.tts.encoder.embed[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["fastspeech2", "tacotron2", "halved"])
def test_the_probe_leaves_no_trace(build, name, training):
    model = build(name).train(training)
    recorder = TapRecorder(model.tts)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    probe(model.tts, recorder)
    assert torch.equal(torch.rand(3), expected)
    assert model.tts.training is training
    assert all(
        torch.equal(value, before[key]) for key, value in model.state_dict().items()
    )
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_loss_is_the_same_with_a_recorder(build):
    def loss(model):
        torch.manual_seed(0)
        return model(**random_batch())[0]

    stock, recorded = build("fastspeech2"), build("fastspeech2")
    TapRecorder(recorded.tts, ("encoder", "decoder"))
    assert torch.equal(loss(stock), loss(recorded))


def test_unknown_taps_and_models_are_refused(build):
    model = build("fastspeech2")
    with pytest.raises(ConfigError) as caught:
        TapRecorder(model.tts, ("encoder.encoder.0",))
    assert "no such module in FastSpeech2; near: encoder.encoders.0" in str(
        caught.value
    )
    with pytest.raises(ConfigError, match="near: encoder, decoder"):
        TapRecorder(model.tts, ("zzz",))
    with pytest.raises(ConfigError) as caught:
        TapRecorder(torch.nn.Linear(1, 1))
    assert str(caught.value) == (
        "tts: Linear has no taps; models that have are FastSpeech2, FastSpeech, "
        "ProDiff, Tacotron2, Transformer"
    )


def test_of_many_heads_the_most_focused_attends(build):
    model = build("transformer").eval()
    recorder = TapRecorder(model.tts, ("attention",))
    run(model, batch_of("transformer"))
    heads = [layer.src_attn.attn for layer in model.tts.decoder.decoders]
    heads = torch.cat(heads, dim=1)
    assert heads.size(1) > 1
    for row, chosen, steps in zip(heads, recorder.taps["attention"], (40, 25)):
        focus = row[:, :steps].amax(2).mean(1)
        assert torch.equal(chosen, row[focus.argmax()])
