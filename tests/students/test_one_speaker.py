"""The model of one speaker equals the model of several with this speaker's inputs."""

import numpy as np
import pytest
import torch
import yaml
from omniio.kaldi import WriteHelper

from espnet_distill import Experiment, derive, prune
from espnet_distill.cli.main import main
from espnet_distill.errors import ConfigError

from ..conftest import (
    CONFORMER,
    FASTSPEECH,
    FASTSPEECH2,
    TACOTRON2,
    TRANSFORMER,
    make_experiment,
)


@pytest.fixture
def several(tmp_path, monkeypatch):
    """Return a function that makes a model of the speakers ann and bob."""
    monkeypatch.chdir(tmp_path)

    def make(tts="fastspeech2", **tts_conf):
        folder = make_experiment(tmp_path / "several", tts=tts, tts_conf=tts_conf)
        conf = yaml.safe_load((folder / "config.yaml").read_text())
        data = []
        if "spks" in tts_conf:
            data.append(["dump/raw/train/utt2sid", "sids", "text_int"])
            (folder / "spk2sid").write_text("<unk> 0\nann 1\nbob 2\n")
        if "spk_embed_dim" in tts_conf:
            data.append(["dump/xvector/train/xvector.scp", "spembs", "kaldi_ark"])
            write_embeddings(tmp_path / "dump/xvector/train")
        conf["train_data_path_and_name_and_type"] = data
        (folder / "config.yaml").write_text(yaml.safe_dump(conf))
        return folder

    return make


def write_embeddings(folder):
    folder.mkdir(parents=True)
    place = f"ark,scp:{folder}/spk_xvector.ark,{folder}/spk_xvector.scp"
    with WriteHelper(place) as writer:
        for name, seed in (("ann", 1), ("bob", 2)):
            vector = np.random.default_rng(seed).standard_normal(5)
            writer[name] = vector.astype(np.float32)


def vector_of(seed):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(5)).float()


def mel(experiment, **inputs):
    text, model = torch.tensor([5, 9, 3, 20, 7]), experiment.model
    torch.manual_seed(0)
    return model.inference(text, use_teacher_forcing=False, **inputs)["feat_gen"]


BY_ID = {"spks": 3}
BY_EMBEDDING = {"spk_embed_dim": 5}


@pytest.mark.parametrize(
    "tts, conf",
    [
        ("fastspeech2", FASTSPEECH2 | BY_ID),
        ("fastspeech2", FASTSPEECH2 | BY_ID | {"encoder_normalize_before": True}),
        ("fastspeech2", CONFORMER | BY_ID),
        ("fastspeech2", FASTSPEECH2 | BY_EMBEDDING),
        ("fastspeech2", FASTSPEECH2 | BY_ID | BY_EMBEDDING),
        ("fastspeech", FASTSPEECH | BY_ID),
        ("transformer", TRANSFORMER | BY_ID),
    ],
)
def test_its_mel_is_the_speakers(several, tts, conf, tmp_path, capsys):
    folder = several(tts, **conf)
    out = tmp_path / "ann"
    options = ["--speaker", "bob", "--pressure", "0"]
    assert main(["derive", str(folder), str(out), *options]) == 0
    assert "The embedding of bob is folded into encoder." in capsys.readouterr().out
    inputs = {}
    if "spks" in conf:
        inputs["sids"] = torch.tensor([2])
    if "spk_embed_dim" in conf:
        inputs["spembs"] = vector_of(2)
    expected = mel(Experiment(folder), **inputs)
    made = Experiment(out)
    assert not {"spks", "spk_embed_dim"} & made.config["tts_conf"].keys()
    assert made.config["train_data_path_and_name_and_type"] == []
    torch.testing.assert_close(mel(made), expected, atol=1e-5, rtol=0)
    others = {"sids": torch.tensor([1]), "spembs": vector_of(1)}
    other = mel(Experiment(folder), **{name: others[name] for name in inputs})
    assert other.shape != expected.shape or (other - expected).abs().max() > 1e-3


@pytest.mark.parametrize(
    "tts, conf, reason",
    [
        (
            "tacotron2",
            TACOTRON2 | BY_ID,
            "the encoder of Tacotron2 ends in no layer with a bias",
        ),
        (
            "fastspeech2",
            FASTSPEECH2 | BY_EMBEDDING | {"spk_embed_integration_type": "concat"},
            "spk_embed_integration_type: concat of FastSpeech2 adds no constant",
        ),
    ],
)
def test_what_is_no_constant_is_not_folded(several, tts, conf, reason):
    folder = several(tts, **conf)
    with pytest.raises(ConfigError, match=reason):
        prune(folder, pressure=0.5, speaker="ann")
    student = derive(folder, pressure=0.0, speaker="ann")
    assert student.notes[0] == f"{reason}; the embedding of ann is omitted."
    assert mel(student).isfinite().all()


def test_a_model_is_pruned_for_one_speaker(several):
    folder = several(**FASTSPEECH2 | BY_ID | {"eunits": 64, "dunits": 64})
    pruned = prune(folder, pressure=0.3, speaker="bob")
    assert "spks" not in pruned.config["tts_conf"]
    assert mel(pruned).isfinite().all()
