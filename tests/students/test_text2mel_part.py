"""Parts of text-to-waveform models are models of their own, and students begin with them."""

import contextlib
import copy

import pytest
import torch
import yaml

from espnet_distill import derive, extract_text2mel
from espnet_distill.cli.main import main
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.students.text2mel_part import as_text2mel
from espnet_distill.vocoders import build_vocoder

from ..configurations import find_configurations, recipe_tree
from ..conftest import (
    FASTSPEECH,
    FASTSPEECH2,
    HOP,
    TACOTRON2,
    TRANSFORMER,
    assert_equal,
    global_mvn,
    load_stock,
    make_experiment,
    model_config,
)
from ..teachers.text_to_wave_models import jets, joint, vits

KINDS = {
    "fastspeech2": FASTSPEECH2 | {"spks": 3, "spk_embed_dim": 5},
    "fastspeech": FASTSPEECH,
    "tacotron2": TACOTRON2,
    "transformer": TRANSFORMER,
}
MELGAN = {"channels": 8, "upsample_scales": [2, 2], "stacks": 1}
IDS = torch.tensor([4, 7, 2, 9, 5, 11])


@pytest.fixture(scope="module", params=KINDS)
def whole(request, corpus, tmp_path_factory):
    """An experiment of a joint model, with the extractors of its training."""
    conf = joint(request.param, KINDS[request.param])
    conf |= global_mvn(feats=corpus.stats("feats"))
    return make_experiment(tmp_path_factory.mktemp("joint") / "exp", **conf)


def synthesize(tts):
    """Synthesize six tokens with what a model takes, seeded for Tacotron2's prenet."""
    inputs = {"sids": torch.tensor([1])} if tts.spks else {}
    inputs |= {"spembs": torch.linspace(-1, 1, 5)} if tts.spk_embed_dim else {}
    torch.manual_seed(0)
    with torch.no_grad():
        return tts.inference(IDS, **inputs)


def test_the_parts_of_a_joint_model_synthesize_what_it_does(whole, tmp_path):
    for part in ("text2mel", "vocoder"):
        assert main([f"extract-{part}", str(whole), str(tmp_path / part)]) == 0
    expected = synthesize(Experiment(whole).model.tts)
    part = load_stock(tmp_path / "text2mel", "model.pth").eval()
    mels = synthesize(part.tts)["feat_gen"]
    assert_equal(mels, expected["feat_gen"])
    raw, _ = part.normalize.inverse(mels[None].clone())
    vocoder = build_vocoder(tmp_path / "vocoder/model.pth", model=part)
    wave = vocoder(raw[0])
    assert len(wave) == len(mels) * HOP
    torch.testing.assert_close(wave, expected["wav"].view(-1), rtol=0, atol=1e-5)


def test_a_student_is_distilled_from_the_part(corpus, tmp_path, capsys):
    stats = {name: corpus.stats(name) for name in ("feats", "pitch", "energy")}
    conf = joint() | {
        "pitch_extract": "dio",
        "energy_extract": "energy",
        "pitch_extract_conf": model_config()["pitch_extract_conf"],
        "energy_extract_conf": model_config()["energy_extract_conf"],
        "best_model_criterion": [["valid", "text2mel_loss", "min"]],
        **global_mvn(**stats),
    }
    teacher = tmp_path / "teacher"
    whole = make_experiment(tmp_path / "joint", **conf)
    extract_text2mel(whole).save(teacher)
    assert "best_model_criterion" not in (teacher / "config.yaml").read_text()
    objectives = [{"type": "mel"}, {"type": "hidden", "tap": "encoder"}]
    config = corpus.config(
        tmp_path / "train.yaml",
        teacher=[str(teacher)],
        distill_conf={"objectives": objectives},
    )
    assert main(["check", str(config)]) == 0
    config = corpus.config(tmp_path / "student.yaml")
    with contextlib.chdir(tmp_path):
        assert main(["derive", "joint", "out", "--student-config", str(config)]) == 0
    assert "the text-to-mel part of joint/config.yaml" in capsys.readouterr().out


CONFORMER = {
    "encoder_type": "conformer",
    "conformer_enc_kernel_size": 3,
    "conformer_rel_pos_type": "latest",
}


@pytest.mark.parametrize("changes", [{}, {"spks": 3, "langs": 2}, CONFORMER])
def test_a_student_begins_with_the_weights_of_jets(changes, corpus, tmp_path):
    exp = make_experiment(tmp_path / "jets", **jets(**changes))
    conf = FASTSPEECH2 | {"postnet_layers": 0} | changes
    config = corpus.config(tmp_path / "student.yaml", tts_conf=conf)
    student = derive(exp, student_config=config)
    own = Experiment(exp).model.tts.generator.state_dict()
    state = student.model.tts.state_dict()
    for name, tensor in state.items():
        assert name.startswith("feat_out.") or torch.equal(tensor, own[name]), name
    left = {name.partition(".")[0] for name in own.keys() - state.keys()}
    assert left == {"generator", "alignment_module"}
    (note,) = student.notes
    assert f"{len(state) - 2} tensors (decoder, duration_predictor, encoder" in note
    assert note.endswith("not from it: feat_out.weight, feat_out.bias.")


def test_a_postnet_and_a_narrower_student_of_jets(corpus, tmp_path):
    exp = make_experiment(tmp_path / "jets", **jets(adim=16))
    config = corpus.config(tmp_path / "student.yaml", tts_conf=FASTSPEECH2)
    student = derive(exp, student_config=config)
    assert student.model.tts.state_dict()["encoder.embed.0.weight"].size(1) == 8
    taken, others = student.notes
    assert "not from it: feat_out.weight" in taken and "postnet" in others
    student.save(tmp_path / "out")
    state = torch.load(tmp_path / "out/init.pth", weights_only=True)
    load_stock(tmp_path / "out", "init.pth").load_state_dict(state)


@pytest.mark.parametrize(
    "conf, command, message",
    [
        (vits(), "extract-text2mel", "tts: vits: has no text-to-mel part"),
        (jets(), "extract-text2mel", "tts: jets: has no text-to-mel part"),
        (jets(), "derive", "tts: jets: has no training configuration"),
        (vits(), "derive", "derive does not support VITS"),
        (vits(), "extract-vocoder", "no vocoder's (tts: vits), nor a joint_text2wav"),
        (
            joint(vocoder_type="melgan_generator", vocoder_params=MELGAN),
            "extract-vocoder",
            "vocoder_type: melgan_generator: only a hifigan_generator of one band",
        ),
    ],
)
def test_models_without_such_a_part_are_refused(
    conf, command, message, tmp_path, capsys
):
    exp = make_experiment(tmp_path / "exp", **copy.deepcopy(conf))
    options = ["--pressure", "0.5"] if command == "derive" else []
    assert main([command, str(exp), str(tmp_path / "out"), *options]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("error: ") == 1
    assert not (tmp_path / "out").exists()


def test_one_speaker_of_jets_is_refused(corpus, tmp_path):
    exp = make_experiment(tmp_path / "jets", **jets(spks=3))
    config = corpus.config(tmp_path / "student.yaml")
    with pytest.raises(ConfigError, match="--speaker ann: .* leave --speaker out"):
        derive(exp, student_config=config, speaker="ann")


def full_size(kind):
    """ESPnet's configurations of a class."""
    tree = recipe_tree()
    found = find_configurations(tree) if tree else []
    return [one for one in found if one.tts == kind]


@pytest.mark.slow
@pytest.mark.parametrize(
    "one", full_size("jets") + full_size("joint_text2wav"), ids=lambda one: one.name
)
def test_espnets_configurations_at_their_size(one, tmp_path):
    """Every parameter of the text-to-mel part is the model's, but `feat_out` of JETS."""
    folder = tmp_path / "exp"
    recipe = yaml.safe_load((recipe_tree() / "egs2" / one.files[0]).read_text())
    keys = ("pitch_extract", "energy_extract")
    conf = {key: recipe[key] for key in keys if key in recipe}
    conf["feats_extract_conf"] = {"fs": 22050, "n_fft": 1024, "hop_length": 256}
    make_experiment(folder, tts=one.tts, tts_conf=one.conf, **conf)
    part = as_text2mel(Experiment(folder))
    own = Experiment(folder).model.tts.generator
    own = own["text2mel"] if one.tts == "joint_text2wav" else own
    for name, tensor in own.state_dict().items():
        if not name.startswith(("alignment_module", "generator.")):
            assert torch.equal(part.model.tts.state_dict()[name], tensor)
