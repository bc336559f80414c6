"""Recognizers and speaker models of ESPnet: tiny ones of random weights."""

import csv

import numpy as np
import pytest
import soundfile
import torch
import yaml

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.espnet_models import is_espnet
from espnet_distill.evaluation.metrics import asr_espnet, speaker
from espnet_distill.evaluation.metrics import registry as metrics
from espnet_distill.evaluation.metrics.speaker import similarity

from ..conftest import RATE, TOKENS
from .conftest import TEXTS, speechlike
from .test_evaluate import evaluate, refuse

LAYERS = {"attention_heads": 2, "linear_units": 2, "num_blocks": 1}
ASR = {
    "encoder": "transformer",
    "encoder_conf": {**LAYERS, "output_size": 4, "input_layer": "conv2d"},
    "decoder": "transformer",
    "decoder_conf": LAYERS,
    "frontend_conf": {"fs": "16k", "n_mels": 20},
    "token_list": TOKENS,
    "token_type": "char",
}
SPEAKER = {
    "frontend": "melspec_torch",
    "frontend_conf": {"n_mels": 20, "win_length": 400, "hop_length": 160},
    "encoder": "mfaconformer",
    "encoder_conf": {
        **LAYERS,
        "output_size": 12,
        "input_layer": "conv2d2",
        "cnn_module_kernel": 5,
    },
    "pooling": "mean",
    "projector": "xvector",
    "projector_conf": {"output_size": 4},
    "spk_num": 2,
}


def make(task, folder, name, **config):
    """Write an experiment as a training by ESPnet does."""
    folder.mkdir(parents=True)
    (folder / "train.yaml").write_text(yaml.safe_dump(config))
    options = ["--config", str(folder / "train.yaml"), "--output_dir", str(folder)]
    task.main(cmd=[*options, "--dry_run", "true"])
    torch.manual_seed(0)
    model, _ = task.build_model_from_file(folder / "config.yaml")
    torch.save(model.state_dict(), folder / name)
    return folder


@pytest.fixture(scope="session")
def recognizer(tmp_path_factory):
    from espnet2.tasks.asr import ASRTask

    folder = tmp_path_factory.mktemp("exp") / "asr_tiny"
    return make(ASRTask, folder, "valid.acc.ave.pth", **ASR)


@pytest.fixture(scope="session")
def speaker_model(tmp_path_factory):
    from espnet2.tasks.spk import SpeakerTask

    folder = tmp_path_factory.mktemp("exp") / "spk_tiny"
    return make(SpeakerTask, folder, "valid.eer.best.pth", **SPEAKER)


def scores_of(recipe):
    with (recipe / "out" / "scores.csv").open() as file:
        return {(line["row"], line["utt"]): line for line in csv.DictReader(file)}


def test_espnet_asr_and_speaker_model_in_an_evaluation(
    recipe, recognizer, speaker_model, monkeypatch
):
    from espnet2.bin.asr_inference import Speech2Text

    monkeypatch.setitem(metrics.sys.modules, "faster_whisper", None)
    models = ["--asr-model", str(recognizer), "--speaker-model", str(speaker_model)]
    models += ["--second-asr-model", str(recognizer / "valid.acc.ave.pth")]
    evaluate(recipe, "--metrics", "wer", *models)
    scores = scores_of(recipe)
    speech2text = Speech2Text(
        recognizer / "config.yaml", recognizer / "valid.acc.ave.pth"
    )
    wave, _ = soundfile.read(recipe / "out" / "wav" / "student" / "utt_b.wav")
    hypothesis = speech2text(wave.astype(np.float32))[0][0]
    assert scores["student", "utt_b"]["hypothesis"] == hypothesis.strip()
    assert int(scores["student", "utt_b"]["words"]) == len(TEXTS["utt_b"].split())
    assert scores["student", "utt_b"]["second_hypothesis"] == hypothesis.strip()
    assert scores["reference", "utt_b"]["similarity"] == ""
    assert -1 <= float(scores["student", "utt_b"]["similarity"]) <= 1
    table = (recipe / "out" / "table.md").read_text()
    assert f"by ESPnet {recognizer} (beam 20" in table.replace("\n", " ")
    assert " ΔSpeaker [95 %] |" in table and f"`{speaker_model}`" in table
    assert "WER 2 (%) |" in table and " ΔCER 2 [95 %] |" in table
    assert f"by ESPnet {recognizer / 'valid.acc.ave.pth'} (beam 20" in table


def wave(seed):
    return speechlike(seed).astype(np.float32)


def test_an_embedding_is_espnets(speaker_model):
    from espnet2.bin.spk_inference import Speech2Embedding

    checkpoint = speaker_model / "valid.eer.best.pth"
    embed = Speech2Embedding(speaker_model / "config.yaml", checkpoint)
    for given in (speaker_model, checkpoint):
        found = speaker.find(str(given)).load()(wave(0))
        np.testing.assert_allclose(found, embed(wave(0))[0], rtol=1e-5)


@pytest.mark.parametrize("samples", [1, 256, 700])
def test_clips_of_a_few_frames(recognizer, speaker_model, samples):
    """A student that stops at once synthesizes such clips."""
    clip = np.full(samples, 0.1, np.float32)
    assert isinstance(asr_espnet.find(str(recognizer)).load()(clip), str)
    assert np.isfinite(speaker.find(str(speaker_model)).load()(clip)).all()


def test_model_key_depends_on_weights(speaker_model, tmp_path):
    state = torch.load(speaker_model / "valid.eer.best.pth", weights_only=True)
    keys = []
    for name in ("one", "same", "other"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.yaml").symlink_to(speaker_model / "config.yaml")
        if name == "other":
            state = {key: tensor + 1 for key, tensor in state.items()}
        torch.save(state, folder / "valid.eer.best.pth")
        keys.append(speaker.find(str(folder)).key)
    assert keys[0] == keys[1] != keys[2]


def test_weights_that_are_missing(recognizer, tmp_path):
    state = torch.load(recognizer / "valid.acc.ave.pth", weights_only=True)
    name, tensor = state.popitem()
    state[f"{name}s"] = tensor
    (tmp_path / "config.yaml").symlink_to(recognizer / "config.yaml")
    torch.save(state, tmp_path / "valid.acc.ave.pth")
    with pytest.raises(ConfigError, match=f"lacks 1 keys .* the first {name}"):
        asr_espnet.find(str(tmp_path))


def test_missing_and_mismatched_models_are_refused(recipe, recognizer, tmp_path):
    option = "--speaker-model"
    refuse(recipe, "--speaker-model: .*cannot be built", option, str(recognizer))
    refuse(recipe, "--speaker-model: .*: no such", option, str(tmp_path / "no"))
    refuse(recipe, "--asr-model: .* is neither an ESPnet", "--asr-model", str(tmp_path))
    (tmp_path / "config.yaml").touch()
    refuse(recipe, "--asr-model: .*one checkpoint", "--asr-model", str(tmp_path))


def test_whisper_names_are_not_espnet_models(tmp_path):
    assert not is_espnet("tiny.en") and not is_espnet(str(tmp_path))
    assert is_espnet("hub:espnet/some_asr_model") and is_espnet("exp/asr/1epoch.pth")


def test_a_similarity_by_hand():
    assert similarity([3.0, 4.0], [4.0, 3.0]) == pytest.approx(0.96)
    assert similarity([1.0, 0.0], [-2.0, 0.0]) == -1
    assert np.isnan(similarity([1.0, 0.0], [0.0, 0.0]))


def test_resemblyzer_that_is_not_installed(recipe, monkeypatch):
    monkeypatch.setitem(metrics.sys.modules, "resemblyzer", None)
    message = "^--speaker-model: not installed: pip install resemblyzer$"
    refuse(recipe, message, "--speaker-model", "resemblyzer")


def test_similarity_of_the_same_speaker_is_higher(kathleen):
    pytest.importorskip("resemblyzer")
    import librosa

    embed = speaker.find("resemblyzer").load()
    first, second = (
        librosa.load(path, sr=RATE)[0]
        for path in sorted((kathleen / "wavs").iterdir())[:2]
    )
    lower = librosa.effects.pitch_shift(second, sr=RATE, n_steps=-5)
    voice, again, changed = map(embed, (first, second, lower))
    assert similarity(voice, again) > 0.7 > similarity(voice, changed)
