"""Waveforms, durations and latents are those of ESPnet's own inference."""

from dataclasses import replace

import pytest
import torch

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.teachers.text_to_wave import (
    CONDITION_LATENTS,
    DECODERS,
    decoder_of,
    synthesize,
)

from ..conftest import HOP, TACOTRON2, TOKENS, make_experiment
from .text_to_wave_models import SEVERAL, build, configurations, jets, joint, vits

MODELS = {
    "vits": vits(),
    "vits of several speakers": vits(**SEVERAL),
    "jets": jets(),
    "jets of several speakers": jets(spks=3, langs=2, spk_embed_dim=5),
    "joint": joint(),
}


IDS = torch.tensor([4, 7, 2, 9, 5, 11])


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {
        name: Experiment(make_experiment(root / name, **conf)).model
        for name, conf in MODELS.items()
    }


def conditions(model):
    """Return speaker, language and embedding of a model, for `synthesize`."""
    tts = model.tts
    given = {
        "sid": 1,
        "lid": 1,
        "spembs": torch.linspace(-1, 1, tts.spk_embed_dim or 1),
    }
    taken = {"sid": tts.spks, "lid": tts.langs, "spembs": tts.spk_embed_dim}
    return {name: value for name, value in given.items() if taken[name]}


def stock(model, **noise):
    """Return what the model's own inference makes of the same inputs and noise."""
    inputs = conditions(model)
    for name in ("sid", "lid"):
        if name in inputs:
            inputs[f"{name}s"] = torch.tensor([inputs.pop(name)])
    torch.manual_seed(0)
    with torch.no_grad():
        return model.tts.inference(IDS, **inputs, **noise)


@pytest.mark.parametrize("name", MODELS)
def test_the_waveform_is_that_of_the_models_inference(models, name):
    model = models[name]
    torch.manual_seed(0)
    noise = {"noise_scale": 0.5, "noise_scale_dur": 0.7}
    made = synthesize(model, IDS, **noise, **conditions(model))
    expected = stock(model, **(noise if name.startswith("vits") else {}))
    assert torch.equal(made.waveform, expected["wav"].view(-1))
    assert made.waveform.std() > 0
    frames = int(made.durations.sum())
    assert made.durations.dtype == torch.long
    assert torch.equal(made.durations, expected["duration"].long())
    assert len(made.durations) == len(IDS) + name.startswith("joint")
    assert len(made.waveform) == frames * HOP and len(made.latents) == frames


@pytest.mark.parametrize("name", [name for name in MODELS if name != "joint"])
def test_latents_are_those_of_the_waveform_if_the_decoder_does_not_run(models, name):
    model = models[name]
    given = conditions(model)
    torch.manual_seed(0)
    expected = synthesize(model, IDS, **given)
    layers = list(decoder_of(model.tts).children())
    ran = []
    handles = [one.register_forward_hook(lambda *_: ran.append(1)) for one in layers]
    torch.manual_seed(0)
    made = synthesize(model, IDS, **given, decode=False)
    assert made.waveform is None and not ran
    assert torch.equal(made.latents, expected.latents)
    assert torch.equal(made.durations, expected.durations)
    torch.manual_seed(0)
    again = synthesize(model, IDS, **given)
    assert torch.equal(again.waveform, expected.waveform) and ran
    for handle in handles:
        handle.remove()


@pytest.mark.parametrize("name", MODELS)
def test_the_decoder_makes_the_waveform_of_the_latents(models, name):
    model = models[name]
    made = synthesize(model, IDS, **conditions(model))
    generator = model.tts.generator
    with torch.no_grad():
        if name.startswith("joint"):
            wave = generator["vocoder"].inference(made.latents)
        elif name.startswith("jets"):
            wave = generator.generator(made.latents.t()[None])
        else:
            condition = made.condition
            if condition is not None:
                condition = condition[None, :, None]
            wave = generator.decoder(made.latents.t()[None], g=condition)
    torch.testing.assert_close(wave.view(-1), made.waveform, rtol=0, atol=1e-6)
    conditioned = name == "vits of several speakers"
    assert (made.condition is not None) == conditioned


def test_without_noise_the_synthesis_is_deterministic(models):
    first, second = (
        synthesize(models["vits"], IDS, noise_scale=0.0, noise_scale_dur=0.0)
        for _ in range(2)
    )
    assert torch.equal(first.waveform, second.waveform)
    assert not torch.equal(first.latents, synthesize(models["vits"], IDS).latents)


@pytest.mark.parametrize(
    "name, given, line",
    [
        ("vits", {"sid": 1}, "sids: the model takes none"),
        ("vits of several speakers", {"lid": 0}, "sids: missing; the model has 3"),
        ("vits of several speakers", {"sid": 3}, "sids: 3: the model has 0 to 2"),
        ("jets of several speakers", {"sid": 0, "lid": 1}, "spembs: missing"),
        (
            "jets of several speakers",
            {"sid": 0, "lid": 1, "spembs": torch.ones(4)},
            r"spembs: shape \(4,\): the model takes 5 values",
        ),
    ],
)
def test_speakers_and_languages_must_be_those_of_the_model(models, name, given, line):
    with pytest.raises(ConfigError, match=line):
        synthesize(models[name], IDS, **given)


def test_no_tokens_are_refused(models):
    with pytest.raises(ConfigError, match="text: has no tokens"):
        synthesize(models["vits"], IDS[:0])


def test_a_text_to_mel_model_is_refused(tmp_path):
    folder = make_experiment(tmp_path / "exp", tts="tacotron2", tts_conf=TACOTRON2)
    with pytest.raises(ConfigError, match="Tacotron2: synthesizes no waveform"):
        synthesize(Experiment(folder).model, IDS)


@pytest.mark.slow
@pytest.mark.parametrize("one", configurations(), ids=lambda one: one.name)
def test_espnets_configurations_at_their_size(one):
    """Random weights of the recipes' sizes synthesize, durations and samples agree."""
    model = build(one)
    inputs = conditions(model)
    made = synthesize(model, torch.arange(3, 9) % len(TOKENS), **inputs)
    decoder = next((v for k, v in DECODERS.items() if isinstance(model.tts, k)), None)
    hop, rest = divmod(len(made.waveform), int(made.durations.sum()))
    assert rest == 0 and hop > 1 and len(made.latents) == int(made.durations.sum())
    if decoder:
        assert hop == model.tts.get_submodule(decoder).upsample_factor


@pytest.mark.parametrize("size", [4, 256])
def test_latents_can_include_the_conditioning(models, size):
    model = models["vits of several speakers"]
    made = synthesize(model, IDS, **conditions(model))
    vectors = torch.randn(9, size, generator=torch.Generator().manual_seed(1))
    appended = [replace(made, condition=one).append_condition() for one in vectors]
    width = made.latents.size(1)
    for one in appended:
        assert one.condition is None and torch.equal(
            one.latents[:, :width], made.latents
        )
    channels = torch.stack([one.latents[:, width:] for one in appended])
    assert channels.size(2) == min(size, CONDITION_LATENTS)
    assert (channels == channels[:, :1]).all()
    if size == 4:
        assert torch.equal(channels[:, 0], vectors)
    kept = torch.pdist(channels[:, 0]) / torch.pdist(vectors)
    assert kept.min() > 0.5 and kept.max() < 1.7
