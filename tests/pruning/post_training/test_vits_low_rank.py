"""``prune --low-rank`` of VITS: text encoder and flow factorized, the rest as it was."""

import re

import numpy as np
import pytest
import torch
import yaml

from espnet_distill import export, prune
from espnet_distill.cli.main import main
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.profiling.macs import parameters
from espnet_distill.profiling.text2speech import load
from espnet_distill.pruning.post_training.text_to_wave import random_sentence
from espnet_distill.students.import_piper import import_piper
from espnet_distill.students.models.low_rank_layer import LowRankLayer

from ...configurations import find_configurations, recipe_tree
from ...conftest import HOP, TOKENS, make_experiment
from ...students.piper_voice import make_piper
from ...teachers.text_to_wave_models import DISCRIMINATOR, SEVERAL, make_slow, vits
from .test_structured import largest_difference

WIDE = {"hidden_channels": 32, "text_encoder_ffn_expand": 2}
IDS = torch.arange(3, 12)
STILL = {"noise_scale": 0.0, "noise_scale_dur": 0.0}
PARTS = ("generator.text_encoder.", "generator.flow.")


@pytest.fixture(scope="module")
def exp(tmp_path_factory):
    """A VITS with a flow that does something: ESPnet initializes its ends by zeros."""
    folder = make_slow(tmp_path_factory.mktemp("vits") / "exp", **vits(**WIDE))
    path = folder / "train.loss.ave.pth"
    state = torch.load(path, weights_only=True)
    generator = torch.Generator().manual_seed(0)
    for name, tensor in state.items():
        if ".flow." in name and ".proj." in name:
            tensor += 0.1 * torch.randn(tensor.shape, generator=generator)
    torch.save(state, path)
    return folder


def synthesize(tts, **inputs):
    with torch.no_grad():
        return tts.inference(IDS % len(TOKENS), **STILL, **inputs)["wav"].view(-1)


def effective(module):
    """The product of two factors as one weight."""
    first, second = module[0].weight, module[1].weight
    return torch.einsum("or...,ri->oi...", second, first.flatten(1))


def test_layers_are_truncated_svds_and_the_rest_stays(exp, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["prune", str(exp), str(out), "--low-rank", "--pressure", "0.3"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "RTF, text to wave" in printed and "layers factorized, of ranks" in printed
    original, pruned = Experiment(exp).model.tts, Experiment(out).model.tts
    synthesize(original)  # computes the weights of weight normalization
    assert parameters(pruned) == sum(one.numel() for one in pruned.parameters())
    assert parameters(pruned) == pytest.approx(0.7 * parameters(original), rel=0.03)
    layers = {
        name: one
        for name, one in pruned.named_modules()
        if isinstance(one, LowRankLayer)
    }
    assert layers and all(name.startswith(PARTS) for name in layers)
    assert any(name.startswith(PARTS[1]) for name in layers)
    for name, layer in layers.items():
        weight = original.get_submodule(name).weight.detach().double()
        rows = weight.movedim(1, -1).flatten(0, -2)
        left, values, right = torch.linalg.svd(rows, full_matrices=False)
        rank = layer[0].weight.size(0)
        best = left[:, :rank] * values[:rank] @ right[:rank]
        found = effective(layer).movedim(1, -1).flatten(0, -2).double()
        torch.testing.assert_close(found, best, rtol=0, atol=1e-5)
    ends = ("weight", "weight_v", "bias")
    kept = {
        name for name in pruned.state_dict() if name.startswith("generator.decoder")
    }
    assert any(name.endswith(ends) for name in kept)
    for name in kept:
        assert torch.equal(pruned.state_dict()[name], original.state_dict()[name])


def test_layers_of_low_rank_stay_what_they_are(exp, tmp_path, capsys):
    once = prune(exp, pressure=0.3, low_rank=True)
    model, conf = once.model, once.config["tts_conf"]
    state = {k: v for k, v in Experiment(exp).model.state_dict().items()}
    for path in conf["ranks"]:
        weight = effective(model.tts.get_submodule(path))
        if f"tts.{path}.weight" in state:
            state[f"tts.{path}.weight"] = weight
        else:  # the norm of each output's weight, and its direction
            state[f"tts.{path}.weight_v"] = weight
            state[f"tts.{path}.weight_g"] = weight.flatten(1).norm(dim=1).view(-1, 1, 1)
    folder = tmp_path / "exp"
    folder.mkdir()
    (folder / "config.yaml").write_text((exp / "config.yaml").read_text())
    torch.save(state, folder / "train.loss.ave.pth")
    out = str(tmp_path / "out")
    assert main(["prune", str(folder), out, "--low-rank", "--pressure", "0.28"]) == 0
    assert largest_difference(capsys.readouterr().out) < 1e-4
    again = Experiment(out).model.tts
    torch.testing.assert_close(
        synthesize(again), synthesize(model.tts), atol=1e-4, rtol=0
    )


def test_calibration_lowers_lost_output_power(exp, corpus, tmp_path, capsys):
    data = tmp_path / "data"
    data.mkdir()
    (data / "text").write_text((corpus.root / "train/text").read_text())
    options = ["--low-rank", "--pressure", "0.3", "--data", str(data)]
    assert main(["prune", str(exp), str(tmp_path / "out"), *options]) == 0
    printed = capsys.readouterr().out
    (line,) = [line for line in printed.splitlines() if "lost output power" in line]
    lost, plain = map(float, re.findall(r"([\d.]+)%", line))
    assert 0 < lost < plain
    assert f"on 4 sentences of {data}" in printed


def test_synthesis_and_export_of_several_speakers(tmp_path):
    several = {key: SEVERAL[key] for key in ("global_channels", "spks")}
    exp = make_slow(tmp_path / "exp", token_type="char", **vits(**WIDE, **several))
    (exp / "spk2sid").write_text("<unk> 0\nann 1\nbob 2\n")
    made = prune(exp, pressure=0.25, low_rank=True).save(tmp_path / "out")
    system = load(made)
    assert system.use_sids and not system.use_spembs
    wave = system("one two", sids=np.array([1]))["wav"]
    assert len(wave) % HOP == 0 and wave.std() > 0
    pytest.importorskip("onnxruntime")
    record = yaml.safe_load((tmp_path / "out/distill.yaml").read_text())
    assert record["factorized"]["pressure"] == 0.25
    phonemes = make_slow(tmp_path / "phn", token_type="phn", **vits(**WIDE))
    voice = export(
        prune(phonemes, pressure=0.25, low_rank=True).save(tmp_path / "small"),
        tmp_path / "voice",
        vocoder=None,
        espeak_voice="en-us",
        weights="fp32",
    )
    assert voice.settings["equality"]["wave"] < 1e-4


def test_an_imported_voice_stays_one(tmp_path):
    pytest.importorskip("onnx")
    exp = import_piper(make_piper(tmp_path / "voice"), tmp_path / "exp")
    out = prune(exp, pressure=0.1, low_rank=True).save(tmp_path / "out")
    assert out.config["tts_conf"]["ranks"]
    for name in ("decode.yaml", "voice.onnx.json"):
        assert (tmp_path / "out" / name).read_text() == (
            tmp_path / "exp" / name
        ).read_text()
    assert "piper" in yaml.safe_load((tmp_path / "out/distill.yaml").read_text())
    few = torch.tensor([4, 5, 6, 7])
    with torch.no_grad():
        one, other = (x.model.tts.inference(few, **STILL) for x in (exp, out))
    assert one["duration"].shape == other["duration"].shape == (5,)
    twice = prune(out, pressure=0.05, low_rank=True)
    assert (
        twice.config["tts_conf"]["ranks"].keys()
        >= out.config["tts_conf"]["ranks"].keys()
    )


@pytest.mark.parametrize(
    "options, line",
    [
        (["--pressure", "0.9", "--low-rank"], "low ranks remove at most 0."),
        (["--pressure", "0.3"], "units of a VITS are not removed; add --low-rank"),
        (
            ["--pressure", "0.3", "--low-rank", "--speaker", "ann"],
            "--speaker ann: ",
        ),
        (
            ["--pressure", "0.3", "--low-rank", "--durations", "x"],
            "--durations: vits predicts its own; leave it out",
        ),
    ],
)
def test_what_cannot_be(options, line, exp, tmp_path, capsys):
    assert main(["prune", str(exp), str(tmp_path / "out"), *options]) == 2
    error = capsys.readouterr().err
    assert line in error and error.count("\n") == 1 and "units, too" not in error
    assert not (tmp_path / "out").exists()


def full_size():
    tree = recipe_tree()
    found = find_configurations(tree) if tree else []
    return [one for one in found if one.tts == "vits"]


@pytest.mark.slow
@pytest.mark.parametrize("one", full_size()[::3], ids=lambda one: one.name)
def test_espnets_configurations_at_their_size(one, tmp_path):
    """Random weights of the recipes' sizes are factorized and synthesize."""
    exp = make_experiment(
        tmp_path / "exp",
        tts="vits",
        tts_conf=one.conf | DISCRIMINATOR,
        feats_extract="linear_spectrogram",
        feats_extract_conf={"n_fft": 1024, "hop_length": 256},
    )
    pruned = prune(exp, pressure=0.3, low_rank=True)
    before, after = (parameters(x.model.tts) for x in (Experiment(exp), pruned))
    assert after == pytest.approx(0.7 * before, rel=0.01)
    sentence = random_sentence(pruned.model.tts)
    few = {"dur": torch.ones_like(sentence["text"]).unsqueeze(1)}
    with torch.no_grad():
        wave, *_ = pruned.model.tts.generator.inference(**sentence, **few)
    assert wave.isfinite().all() and wave.std() > 0
