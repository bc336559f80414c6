"""The teacher of one speaker, for distill.sh --speaker."""

import pytest
import yaml

from espnet_distill.errors import ConfigError
from espnet_distill.recipes.one_speaker import fold_teacher

from ..conftest import FASTSPEECH2, TACOTRON2, make_experiment
from .run_options import layout

CHECKPOINT = "train.loss.ave.pth"


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Return a function that makes a teacher of ann and bob and the layout of a run."""
    monkeypatch.chdir(tmp_path)

    def give(tts, tts_conf, speaker="bob"):
        folder = make_experiment(
            tmp_path / "given", tts=tts, tts_conf=tts_conf | {"spks": 3}
        )
        conf = yaml.safe_load((folder / "config.yaml").read_text())
        data = [["dump/raw/train/utt2sid", "sids", "text_int"]]
        conf["train_data_path_and_name_and_type"] = data
        (folder / "config.yaml").write_text(yaml.safe_dump(conf))
        (folder / "spk2sid").write_text("<unk> 0\nann 1\nbob 2\n")
        return layout(
            teacher=f"given/{CHECKPOINT}", train_teacher="false", speaker=speaker
        )

    return give


def test_it_is_made_once_of_a_teacher(given, capsys):
    run = given("fastspeech2", FASTSPEECH2)
    fold_teacher(run)
    assert str(run.teacher_model) == "exp/teacher_bob/model.pth"
    assert "folded into encoder" in capsys.readouterr().err
    written = run.teacher_model.stat().st_mtime_ns
    fold_teacher(run)
    assert run.teacher_model.stat().st_mtime_ns == written
    assert str(run.given_teacher) == f"given/{CHECKPOINT}"
    (run.folded_teacher.parent / "made_from").unlink()
    with pytest.raises(ConfigError, match="exp/teacher_bob: is no teacher of one"):
        fold_teacher(run)


def test_what_cannot_be_folded_keeps_its_speakers(given, capsys):
    run = given("tacotron2", TACOTRON2)
    fold_teacher(run)
    assert "Tacotron2 ends in no layer with a bias" in capsys.readouterr().err
    assert run.teacher_model == run.given_teacher
