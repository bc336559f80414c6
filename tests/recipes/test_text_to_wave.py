"""A recipe whose teacher synthesizes waveforms: the student is trained on its speech."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from espnet_distill.experiments.experiment import Experiment
from espnet_distill.teachers.dumped import identity
from espnet_distill.utils.files import read_durations, read_table

from ..conftest import HOP, RATE
from ..teachers.text_to_wave_models import make_slow, vits
from .mini_an4 import copy_recipe, run, two_updates

TOKENS = ["<blank>", "<unk>", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'", "<space>", "<sos/eos>"]
FRONT_END = {"token_list": TOKENS, "token_type": "char", "cleaner": None, "g2p": None}
TEXTS = "more1 OPEN THE DOOR\nmore2 STOP THE RECORDER NOW\n"
OPTIONS = ["--train_teacher", "false", "--teacher", "exp/vits", "--nj", 2, "--fs", RATE]
OPTIONS += ["--pseudo_label_text", "more", "--text_encoder_weight", 0.3]
OPTIONS += ["--noise_scale", 0.5]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """The recipe's folder after stages 1 to 6."""
    recipe = copy_recipe(tmp_path_factory.mktemp("recipes"))
    make_slow(recipe / "exp/vits", **vits(), **FRONT_END)
    (recipe / "more").write_text(TEXTS)
    done = run(recipe, *OPTIONS, "--stop_stage", 6)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert "aligner" not in done.stdout
    return recipe


def test_the_student_is_trained_on_the_speech_of_its_teacher(recipe):
    config = yaml.safe_load((recipe / "exp/student/config.yaml").read_text())
    data = {name: path for path, name, _ in config["train_data_path_and_name_and_type"]}
    assert data["speech"] == "dump/raw/train_synthesized_more/wav.scp"
    assert set(read_table(recipe / "more")) < set(read_table(recipe / data["text"]))


def test_its_encoder_is_compared_with_the_teachers(recipe):
    record = yaml.safe_load((recipe / "exp/student/distill.yaml").read_text())
    (objective,) = record["distill_conf"]["objectives"]
    assert objective == {"type": "hidden", "tap": "encoder", "weight": 0.3}
    assert record["teacher"][0]["model"].endswith("exp/vits/train.loss.ave.pth")
    assert "distill_hidden_encoder=" in (recipe / "exp/student/train.log").read_text()


def test_durations_and_frames_of_the_speech_agree(recipe, monkeypatch):
    monkeypatch.chdir(recipe)
    for name in ("train_synthesized", "dev_synthesized", "more"):
        folder = recipe / "exp/alignment" / name
        texts = read_table(folder / "text")
        frames = read_durations(folder / "durations", texts)
        for utterance, path in read_table(folder / "wav.scp").items():
            tokens = len(texts[utterance])
            assert len(frames[utterance]) == tokens + 1 and not frames[utterance][-1]
            samples = (len(open(path, "rb").read()) - 44) // 2
            assert samples == sum(frames[utterance]) * HOP - 1


def test_the_dump_records_teacher_and_noise(recipe, monkeypatch):
    monkeypatch.chdir(recipe)
    manifest = yaml.safe_load(
        (recipe / "exp/teacher_speech/train/manifest.yaml").read_text()
    )
    assert manifest["teacher"] == identity("exp/vits")
    assert manifest["noise"] == {"noise_scale": 0.5, "noise_scale_dur": 0.0}


def test_another_noise_is_refused(recipe):
    done = run(recipe, *OPTIONS[:-1], 0.1, "--stage", 2, "--stop_stage", 2)
    assert done.returncode == 2
    assert (
        "holds speech of another teacher, of other texts or other noise" in done.stderr
    )


def test_a_second_run_synthesizes_nothing(recipe):
    waves = list(recipe.glob("exp/teacher_speech/*/wav/*.wav"))
    before = [path.stat().st_mtime_ns for path in waves]
    done = run(recipe, *OPTIONS, "--stage", 2, "--stop_stage", 2)
    assert done.returncode == 0, done.stderr[-3000:]
    assert waves and before == [path.stat().st_mtime_ns for path in waves]


SPEAKERS = ["fash", "fbbh", "fclc", "mgah", "mwhw"]


def several(recipe):
    """Write a VITS of several speakers; return the options of a student of one."""
    conf = vits(spks=6, global_channels=4)
    data = [["dump/speakers/raw/train_speakers/utt2sid", "sids", "text_int"]]
    data = {"train_data_path_and_name_and_type": data}
    make_slow(recipe / "exp/several", **conf, **FRONT_END, **data)
    rows = (f"{name} {number}\n" for number, name in enumerate(["<unk>", *SPEAKERS]))
    (recipe / "exp/several/spk2sid").write_text("".join(rows))
    options = ["--train_teacher", "false", "--teacher", "exp/several", "--nj", 2]
    options += ["--fs", RATE, "--student_config", "conf/train_student.yaml"]
    return [*options, "--num_threads", 1]


def without_pitch(recipe, source="conf/train_student.yaml"):
    """Write the recipe's configuration of a student as that of a FastSpeech."""
    conf = yaml.safe_load((recipe / source).read_text())
    kinds = ("pitch", "energy")
    conf = {key: value for key, value in conf.items() if not key.startswith(kinds)}
    conf["tts_conf"] = {
        key: value
        for key, value in conf["tts_conf"].items()
        if not key.startswith(kinds) and "_pitch" not in key and "_energy" not in key
    }
    path = recipe / "conf/latents.yaml"
    path.write_text(yaml.safe_dump(conf | {"tts": "fastspeech"}))
    return "conf/latents.yaml"


@pytest.mark.parametrize(
    "speaker, line",
    [
        ("nobody", "--speaker nobody: exp/several/config.yaml has no such speaker"),
        (None, "--speaker fash: exp/vits/config.yaml has one speaker; leave"),
    ],
)
def test_a_speaker_that_the_teacher_lacks_is_refused_before_stage_1(
    speaker, line, tmp_path
):
    recipe = copy_recipe(tmp_path)
    options = several(recipe)
    if speaker is None:
        make_slow(recipe / "exp/vits", **vits(), **FRONT_END)
        options += ["--teacher", "exp/vits"]
    options += ["--speaker", speaker or "fash"]
    done = run(recipe, *options, script="./run_multispeaker.sh")
    assert done.returncode == 2 and not (recipe / "data").exists()
    assert line in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_student_of_one_speaker_of_several(tmp_path, monkeypatch):
    recipe = copy_recipe(tmp_path)
    options = [*several(recipe), "--speaker", "mwhw", *two_updates(recipe)]
    options += ["--test_sets", "test_mwhw"]
    script = "./run_multispeaker.sh"
    done = run(recipe, *options, "--stop_stage", 7, script=script)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    options += ["--vocoder_preset", "harmonic_istft_nano"]
    done = run(recipe, *options, "--stage", 10, "--stop_stage", 11, script=script)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    monkeypatch.chdir(recipe)
    folder = Path("exp/speakers/student_mwhw")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert "spks" not in config["tts_conf"]
    for path, _, _ in config["train_data_path_and_name_and_type"]:
        assert set(name.split("-")[0] for name in read_table(path)) == {"mwhw"}
    waves = Path("exp/speakers/vocoder_mwhw_waves/train/wave.scp")
    assert set(name.split("-")[0] for name in read_table(waves)) == {"mwhw"}


@pytest.mark.slow
def test_a_student_of_latents_of_one_speaker_of_several(tmp_path, monkeypatch):
    """All stages: student and vocoder are of that speaker, without conditioning."""
    recipe = copy_recipe(tmp_path)
    options = [*several(recipe), "--speaker", "mwhw", *two_updates(recipe)]
    options += ["--test_sets", "test_mwhw", "--student_features", "latents"]
    (recipe / "more").write_text(TEXTS)
    options += ["--pseudo_label_text", "more"]
    options += ["--student_config", without_pitch(recipe)]
    done = run(recipe, *options, "--noise_scale", 0, script="./run_multispeaker.sh")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    monkeypatch.chdir(recipe)
    exp = Path("exp/speakers")
    speech = exp / "teacher_speech"
    assert {path.name for path in speech.iterdir()} == {
        *("train_speakers_mwhw", "dev_speakers_mwhw", "more_mwhw")
    }
    assert not (speech / "more_mwhw/wav").exists()
    assert len(read_table(speech / "more_mwhw/latents.scp")) == 2
    latents = read_table(speech / "train_speakers_mwhw/latents.scp")
    assert {name.split("-")[0] for name in latents} == {"mwhw"}
    assert (speech / "train_speakers_mwhw/condition.scp").is_file()
    student, vocoder = (
        Experiment(exp / name, ["train.loss.ave.pth", "train.total_count.ave.pth"])
        for name in ("student_mwhw", "vocoder_mwhw")
    )
    assert "spks" not in student.config["tts_conf"]
    assert vocoder.config["tts_conf"]["latents"]["condition_channels"] == 0
    statistics = (
        np.load(one.config["normalize_conf"]["stats_file"])
        for one in (student, vocoder)
    )
    of_student, of_vocoder = (int(one["count"]) for one in statistics)
    assert of_student > of_vocoder  # the vocoder is not trained on pseudo-labels
    voice = json.loads((exp / "student_mwhw_voice/voice.onnx.json").read_text())
    assert voice["equality"]["wave"] <= 1e-4


@pytest.mark.slow
def test_a_student_of_latents_of_several_speakers(tmp_path, monkeypatch):
    """All stages: the decoder's conditioning is among the latents."""
    recipe = copy_recipe(tmp_path)
    (recipe / "more").write_text(TEXTS)
    conf = "conf/tuning/train_student_multispeaker.yaml"
    options = [*several(recipe), *two_updates(recipe), "--student_features", "latents"]
    options += ["--student_config", without_pitch(recipe, conf)]
    options += ["--pseudo_label_text", "more", "--noise_scale", 0]
    done = run(recipe, *options, script="./run_multispeaker.sh")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    monkeypatch.chdir(recipe)
    exp = Path("exp/speakers")
    generator = vits(spks=6, global_channels=4)["tts_conf"]["generator_params"]
    own = generator["hidden_channels"]
    ids = read_table("dump/speakers/raw/train_speakers/utt2sid")
    assert len(set(ids.values())) > 2
    weights = Experiment("exp/several").weights["tts.generator.global_emb.weight"]
    latents = read_table(exp / "teacher_speech/train_speakers/latents.scp")
    for utterance, path in latents.items():
        expected = weights[int(ids[utterance])]
        appended = np.load(path)[:, own:]
        np.testing.assert_array_equal(appended, np.tile(expected, (len(appended), 1)))
    student, vocoder = (
        Experiment(exp / name, ["train.loss.ave.pth", "train.total_count.ave.pth"])
        for name in ("student", "vocoder")
    )
    assert student.config["tts_conf"]["spks"] == 6
    assert student.config["odim"] == own + 4
    of_vocoder = vocoder.config["tts_conf"]["latents"]
    assert of_vocoder["channels"] == own + 4 and not of_vocoder["condition_channels"]
    voice = json.loads((exp / "student_voice/voice.onnx.json").read_text())
    assert voice["speaker_id_map"] == {name: n for n, name in enumerate(SPEAKERS, 1)}
    assert voice["equality"]["wave"] <= 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("tts", ["vits", "jets"])
def test_a_teacher_that_is_trained_here(tts, tmp_path, monkeypatch):
    recipe = copy_recipe(tmp_path)
    options = ["--stop_stage", 7]
    options += ["--warm_start", "true"] if tts == "jets" else []
    done = run(recipe, *options, script="./run_vits.sh", TTS=tts)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    monkeypatch.chdir(recipe)
    folder = Path("exp") / f"of_{tts}"
    assert Experiment(folder / "student").config["tts"] == "fastspeech2"
    for speech in (Path("exp", tts), folder / "student"):
        assert len(list(speech.glob("student_decode/test/wav/*.wav"))) == 2
    initial = folder / "student/warm_start/init.pth"
    assert initial.exists() == (tts == "jets")
    if initial.exists():
        assert "not from it: feat_out.weight, feat_out.bias" in done.stdout
        weights = Experiment(f"exp/{tts}").weights
        name = "encoder.encoders.0.self_attn.linear_q.weight"
        state = torch.load(initial, weights_only=True)
        assert torch.equal(state[f"tts.{name}"], weights[f"tts.generator.{name}"])


def test_another_class_is_no_teacher_of_this_script(tmp_path):
    recipe = copy_recipe(tmp_path)
    done = run(recipe, script="./run_vits.sh", TTS="tacotron2")
    assert done.returncode == 2
    assert (
        done.stderr == "./run_vits.sh: error: TTS=tacotron2: is neither vits nor jets\n"
    )


@pytest.mark.slow
def test_a_student_of_latents_and_its_vocoder(recipe):
    """All stages, with features of the dump in the place of mels."""
    options = [
        *OPTIONS[:6],
        "--fs",
        RATE,
        "--expdir",
        "exp_latents",
        "--noise_scale",
        0,
    ]
    options += ["--student_features", "latents", *two_updates(recipe), "--stage", 2]
    done = run(recipe, *options)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    config = yaml.safe_load((recipe / "exp_latents/student/config.yaml").read_text())
    channels = vits()["tts_conf"]["generator_params"]["hidden_channels"]
    assert config["odim"] == channels and config["feats_extract"] is None
    data = {name: path for path, name, _ in config["train_data_path_and_name_and_type"]}
    assert data["speech"] == "exp_latents/alignment/train_synthesized/denorm/feats.scp"
    rows = json.loads((recipe / "exp_latents/evaluation_pair/table.json").read_text())
    assert [row["name"] for row in rows["rows"]] == [
        *("reference", "teacher", "student_pair")
    ]
    settings = json.loads(
        (recipe / "exp_latents/student_voice/voice.onnx.json").read_text()
    )
    assert settings["equality"]["wave"] <= 1e-4
