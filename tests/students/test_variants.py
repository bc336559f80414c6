"""Variants of FastSpeech2: training, inference and conditions."""

import pytest
import torch
import yaml

from espnet_distill.errors import ConfigError
from espnet_distill.students.models.fastspeech2_rnn import CELLS, RecurrentLayer

from ..conftest import PREDICTORS, TOKENS, random_batch

COMMON = {"adim": 8, "postnet_layers": 2, "postnet_chans": 8, **PREDICTORS}
VARIANTS = {
    "gru": ("fastspeech2_rnn", {}),
    "lstm": ("fastspeech2_rnn", {"cell": "lstm", "bidirectional": False}),
    "rnn": ("fastspeech2_rnn", {"cell": "rnn", "elayers": 1}),
    "sepconv": ("fastspeech2_sepconv", {"encoder_kernel_sizes": [3, 5]}),
    "convnext": ("fastspeech2_convnext", {"elayers": 1, "eunits": 16, "dunits": 16}),
}


@pytest.fixture(params=VARIANTS)
def variant(request):
    name, conf = VARIANTS[request.param]
    return name, COMMON | conf


def build(variant, **more):
    import espnet2.tasks.tts

    import espnet_distill

    espnet_distill.register()
    torch.manual_seed(0)
    name, conf = variant
    kind = espnet2.tasks.tts.tts_choices.get_class(name)
    return kind(idim=len(TOKENS), odim=20, **(conf | more))


def batch_of(utterances):
    batch = random_batch(utterances=utterances)
    del batch["speech"], batch["speech_lengths"]
    frames = torch.tensor([frames for _, frames in utterances])
    generator = torch.Generator().manual_seed(1)
    feats = torch.randn(len(frames), int(frames.max()), 20, generator=generator)
    for row, length in zip(feats, frames):
        row[length:] = 0
    return batch | {"feats": feats, "feats_lengths": frames}


def test_every_parameter_learns(variant):
    model = build(variant)
    loss, _, _ = model(**batch_of([(5, 40), (3, 25)]))
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_padding_has_no_effect(variant):
    model = build(variant, postnet_layers=0).eval()
    long, short = batch_of([(7, 60), (3, 25)]), {}
    for name, tensor in long.items():
        short[name] = tensor[1:]
        lengths = long.get(f"{name}_lengths")
        if lengths is not None:
            short[name] = short[name][:, : lengths[1]]
    hidden = []
    model.decoder.register_forward_hook(lambda *args: hidden.append(args[2][0]))
    with torch.no_grad():
        model(**long)
        model(**short)
    torch.testing.assert_close(hidden[0][1:, :25], hidden[1], atol=1e-5, rtol=1e-4)


def test_speed_and_teacher_forcing(variant):
    model = build(variant).eval()
    text = torch.randint(3, 20, (6,))
    durations = torch.tensor([3, 4, 5, 3, 4, 5, 6])
    pitch = energy = torch.zeros(7, 1)
    with torch.no_grad():
        forced = model.inference(
            text,
            feats=torch.zeros(30, 20),
            durations=durations,
            pitch=pitch,
            energy=energy,
            use_teacher_forcing=True,
        )
        model.duration_predictor.linear.bias.fill_(1.5)
        slow, fast = (model.inference(text, alpha=alpha) for alpha in (2.0, 1.0))
    assert forced["feat_gen"].shape == (30, 20)
    assert len(slow["feat_gen"]) > 1.5 * len(fast["feat_gen"])


@pytest.mark.parametrize(
    "conditions", [{"spks": 3}, {"langs": 2}, {"spk_embed_dim": 4}]
)
def test_conditions_change_the_output(variant, conditions):
    model = build(variant, **conditions).eval()
    voices = {
        "spks": [{"sids": torch.tensor([n])} for n in (1, 2)],
        "langs": [{"lids": torch.tensor([n])} for n in (0, 1)],
        "spk_embed_dim": [{"spembs": torch.eye(4)[n]} for n in (1, 2)],
    }[next(iter(conditions))]
    with torch.no_grad():
        one, other = (
            model.inference(torch.tensor([4, 5]), **voice)["feat_gen"]
            for voice in voices
        )
    assert one.shape != other.shape or not torch.allclose(one, other)


def test_distilled_from_a_teacher_it_synthesizes(variant, corpus, teacher, tmp_path):
    from espnet2.bin.tts_inference import Text2Speech

    import espnet_distill
    from espnet_distill.tasks.text2mel import DistillTTSTask

    name, conf = variant
    objectives = [{"type": "mel"}, {"type": "hidden", "tap": "decoder"}]
    stock = yaml.safe_load(corpus.config(tmp_path / "stock.yaml").read_text())
    stock |= {"tts": name, "tts_conf": conf, "max_epoch": 1}
    stock |= {"teacher": [str(teacher)], "distill_conf": {"objectives": objectives}}
    config = tmp_path / "train.yaml"
    config.write_text(yaml.safe_dump(stock))
    DistillTTSTask.main(cmd=corpus.training(config, tmp_path / "exp"))
    espnet_distill.register()
    text2speech = Text2Speech(tmp_path / "exp/config.yaml", tmp_path / "exp/1epoch.pth")
    state = torch.load(tmp_path / "exp/1epoch.pth", weights_only=True)
    for key, tensor in text2speech.model.state_dict().items():
        assert torch.equal(tensor, state[key])
    assert len(text2speech("one two")["wav"]) > 0


@pytest.mark.parametrize(
    "name, conf, words",
    [
        ("fastspeech2_rnn", {"cells": "gru"}, "cells: FastSpeech2RNN .* near: cell"),
        ("fastspeech2_rnn", {"eunits": 8}, "eunits: FastSpeech2RNN has no such key"),
        ("fastspeech2_rnn", {"cell": "qrnn"}, "'qrnn' is not rnn, lstm, gru"),
        ("fastspeech2_rnn", {"adim": 9}, "9 is odd"),
        ("fastspeech2_sepconv", {"transformer_enc_dropout_rate": 0}, "no such key"),
        ("fastspeech2_sepconv", {"encoder_kernel_sizes": [4]}, r"\[4\] are not odd"),
        ("fastspeech2_convnext", {"kernel_size": 6}, "kernel_size: 6 is not odd"),
    ],
)
def test_unknown_and_invalid_keys_are_refused(name, conf, words):
    with pytest.raises(ConfigError, match=words) as caught:
        build((name, COMMON), **conf)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_recurrent_layers_equal_packed_torch_layers(cell):
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    layer = RecurrentLayer(8, cell, bidirectional=True, dropout=0.0)
    packed = CELLS[cell](8, 4, batch_first=True, bidirectional=True)
    both = {"": layer.rnn, "_reverse": layer.backward_rnn}
    weights = {
        f"{name}{suffix}": tensor
        for suffix, rnn in both.items()
        for name, tensor in rnn.state_dict().items()
    }
    packed.load_state_dict(weights)
    xs, lengths = torch.randn(3, 7, 8), torch.tensor([4, 7, 1])
    mask = (torch.arange(7) < lengths[:, None])[..., None]
    sequences = pack_padded_sequence(
        layer.norm(xs), lengths, batch_first=True, enforce_sorted=False
    )
    hs, _ = pad_packed_sequence(packed(sequences)[0], batch_first=True)
    torch.testing.assert_close(layer(xs, mask), xs + hs)
