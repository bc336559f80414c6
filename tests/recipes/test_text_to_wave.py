"""A recipe whose teacher synthesizes waveforms: the student is trained on its speech."""

import pytest
import yaml

from espnet_distill.teachers.dumped import identity
from espnet_distill.utils.files import read_durations, read_table

from ..conftest import HOP, RATE
from ..teachers.text_to_wave_models import make_slow, vits
from .mini_an4 import copy_recipe, run

TOKENS = ["<blank>", "<unk>", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'", "<space>", "<sos/eos>"]
FRONT_END = {"token_list": TOKENS, "token_type": "char", "cleaner": None, "g2p": None}
TEXTS = "more1 OPEN THE DOOR\nmore2 STOP THE RECORDER NOW\n"
OPTIONS = ["--train_teacher", "false", "--teacher", "exp/vits", "--nj", 2, "--fs", RATE]
OPTIONS += ["--pseudo_label_text", "more", "--noise_scale", 0.5]


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
    assert not (recipe / "exp/student/distill.yaml").exists()


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
