"""A run resumes only as what it was begun as, and a refused one changes no record."""

import shutil

import pytest
import torch
import yaml

from espnet_distill.errors import ConfigError
from espnet_distill.tasks.text2mel import DistillTTSTask

from ..conftest import FASTSPEECH2, assert_equal, load

OBJECTIVES = [{"type": "mel"}, {"type": "hidden", "tap": "encoder"}]
PRUNE = {"type": "prune", "granularity": "unstructured", "pressure": 0.5, "end": 2}


@pytest.fixture(scope="module")
def teacher_copy(teacher, tmp_path_factory):
    """A teacher that may be changed, at a path that stays the same."""
    folder = tmp_path_factory.mktemp("exp") / "teacher"
    shutil.copytree(teacher, folder)
    return folder


def configure(corpus, teacher, path, /, **changes):
    changes = {"teacher": [str(teacher)], "callbacks": [PRUNE]} | changes
    conf = {"objectives": changes.pop("objectives", OBJECTIVES)}
    if changes["teacher"]:
        changes["distill_conf"] = conf
    return corpus.config(path, max_epoch=1, **changes)


@pytest.fixture(scope="module")
def begun(corpus, teacher_copy, tmp_path_factory):
    root = tmp_path_factory.mktemp("begun")
    config = configure(corpus, teacher_copy, root / "train.yaml")
    DistillTTSTask.main(cmd=corpus.training(config, root / "exp"))
    return root / "exp"


@pytest.fixture
def run(corpus, teacher_copy, begun, tmp_path):
    """A begun run and what resumes it; the teacher is as it was afterwards."""
    out = tmp_path / "exp"
    shutil.copytree(begun, out, symlinks=True)
    shutil.copytree(teacher_copy, tmp_path / "teacher")

    def resume(**changes):
        config = configure(corpus, teacher_copy, tmp_path / "train.yaml", **changes)
        command = corpus.training(config, out)
        DistillTTSTask.main(cmd=[*command, "--resume", "true", "--max_epoch", "2"])

    yield out, resume
    shutil.copytree(tmp_path / "teacher", teacher_copy, dirs_exist_ok=True)


def retrain(teacher):
    path = teacher / "train.loss.ave.pth"
    state = torch.load(path, weights_only=True)
    state["tts.feat_out.bias"] += 1
    torch.save(state, path)


def reconfigure(teacher):
    path = teacher / "config.yaml"
    path.write_text(path.read_text() + "# another\n")


@pytest.mark.parametrize(
    "change, changes, words",
    [
        (retrain, {}, "the teacher's model was another"),
        (reconfigure, {}, "the teacher's config was another"),
        (None, {"teacher": [], "callbacks": [PRUNE]}, "other teachers or objectives"),
        (None, {"objectives": OBJECTIVES[:1]}, "other teachers or objectives"),
        (None, {"callbacks": [PRUNE | {"pressure": 0.4}]}, "other callbacks"),
        (None, {"callbacks": []}, "other callbacks"),
        (None, {"tts_conf": FASTSPEECH2 | {"adim": 12}}, "of another"),
        (None, {"teacher": [], "callbacks": []}, "other teachers or objectives"),
    ],
    ids=[
        *("teacher's weights", "teacher's configuration", "no teacher", "objectives"),
        *("callbacks' settings", "no callbacks", "student", "stock"),
    ],
)
def test_another_run_is_refused_and_no_record_is_rewritten(
    run, teacher_copy, change, changes, words
):
    out, resume = run
    if change:
        change(teacher_copy)
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    with pytest.raises(ConfigError, match=words) as caught:
        resume(**changes)
    assert "\n" not in str(caught.value) and "checkpoint.pth: " in str(caught.value)
    after = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert after == before


def test_the_same_run_is_resumed_from_another_path(run, teacher_copy, tmp_path):
    out, resume = run
    resume(teacher=[str(tmp_path / "teacher")])
    record = yaml.safe_load((out / "distill.yaml").read_text())
    assert record["teacher"][0]["config"] == str(tmp_path / "teacher/config.yaml")
    assert (out / "2epoch.pth").is_file()


def test_a_checkpoint_of_an_earlier_version_is_taken_with_a_warning(run, caplog):
    out, resume = run
    checkpoint = load(out / "checkpoint.pth")
    objective_state = checkpoint["optimizers"][0]["espnet_distill"]
    objective_state["0._extra_state"] = objective_state["0._extra_state"]["objectives"]
    torch.save(checkpoint, out / "checkpoint.pth")
    resume()
    assert "has no checksums of its teacher" in caplog.text
    state = load(out / "checkpoint.pth")["optimizers"][0]["espnet_distill"]
    assert len(state["0._extra_state"]["teacher"]["model_sha256"]) == 64


def test_a_truncated_checkpoint_is_one_line(run):
    out, resume = run
    content = (out / "checkpoint.pth").read_bytes()
    (out / "checkpoint.pth").write_bytes(content[: len(content) // 2])
    with pytest.raises(ConfigError, match="not a readable checkpoint of a") as caught:
        resume()
    assert "\n" not in str(caught.value)


def test_a_refused_resume_keeps_the_checkpoint(run, begun):
    out, resume = run
    with pytest.raises(ConfigError):
        resume(callbacks=[])
    assert_equal(load(out / "checkpoint.pth"), load(begun / "checkpoint.pth"))
