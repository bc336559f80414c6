"""Durations from a teacher's attention, selected by focus rate."""

import pytest

from espnet_distill.cli import main as cli
from espnet_distill.data.attention_durations import (
    LEAST_FOCUS_RATE,
    least_focus_rate,
    select,
)
from espnet_distill.errors import ConfigError

from ..conftest import TACOTRON2, TRANSFORMER, make_experiment


@pytest.fixture
def decoded(tmp_path):
    folder = tmp_path / "decoded" / "train"
    folder.mkdir(parents=True)
    (folder / "durations").write_text("a 1 2\nb 3 4 5\nc 6\n")
    (folder / "focus_rates").write_text("a 0.70\nb 0.64\nc 0.90\n")
    return folder


def test_low_focus_rates_are_left_out_and_counted(decoded, tmp_path):
    found = select(decoded, tmp_path / "out", 0.65)
    assert found == (
        "train: 2 of 3 utterances have a focus rate of at least 0.65 (median 0.70)"
    )
    assert (tmp_path / "out/durations").read_text() == "a 1 2\nc 6\n"
    assert (tmp_path / "out/utterances").read_text() == "a\nc\n"


def test_teacher_without_sharp_attention_is_refused(decoded, tmp_path):
    with pytest.raises(ConfigError, match="train: 0 of 3 .*; train the teacher longer"):
        select(decoded, tmp_path / "out", 0.95)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match="none/durations: cannot be read"):
        select(tmp_path / "none", tmp_path / "out", 0.5)


@pytest.mark.parametrize(
    "tts, tts_conf", [("tacotron2", TACOTRON2), ("transformer", TRANSFORMER)]
)
def test_focus_rate_threshold_of_each_model_class(tmp_path, tts, tts_conf):
    folder = make_experiment(tmp_path / tts, tts=tts, tts_conf=tts_conf)
    assert least_focus_rate(folder) == LEAST_FOCUS_RATE[tts]


def test_the_command(decoded, tmp_path, teacher, capsys):
    arguments = [
        "attention-durations",
        str(teacher),
        str(decoded),
        str(tmp_path / "out"),
    ]
    assert cli.main([*arguments, "--least-focus-rate", "0.8"]) == 0
    assert "1 of 3 utterances" in capsys.readouterr().out
    assert cli.main(arguments) == 2
    assert "fastspeech2 has no attention over the text" in capsys.readouterr().err
