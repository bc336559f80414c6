"""The whole command, on tiny experiments, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from espnet_distill.cli.main import main
from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.bench import SENTENCES, sentences_for
from espnet_distill.evaluation.bench_table import Row, markdown
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.profiling.memory import Memory, memory_of
from espnet_distill.profiling.speed import Speed, Stages

from ..conftest import TACOTRON2, make_experiment, run_python

ONE = ["--repeats", "1", "--threads", "1"]


@pytest.fixture(scope="module")
def tacotron2(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exp") / "tacotron2"
    return make_experiment(folder, tts="tacotron2", tts_conf=TACOTRON2)


@pytest.fixture
def sentences(tmp_path):
    path = tmp_path / "sentences"
    path.write_text("ten\n\na few more words\nsome more\n")
    return path


def test_the_files(experiments, tacotron2, sentences, tmp_path, capsys):
    out = tmp_path / "out"
    paths = [experiments["teacher"], tacotron2 / "train.loss.ave.pth"]
    options = ["--sentences", sentences, "--repeats", 1, "--threads", 2, "--out", out]
    assert main(["bench", *map(str, [*paths, *options])]) == 0
    printed = capsys.readouterr().out
    table = json.loads((out / "bench.json").read_text())
    assert table["environment"]["sentences"] == ["ten", "some more", "a few more words"]
    assert [row["name"] for row in table["rows"]] == ["teacher", "tacotron2"]
    for row in table["rows"]:
        assert list(row["speed"]) == ["1", "2"]
        for speed in row["speed"].values():
            rtf = speed["rtf"]
            assert 0 < rtf["text2mel"] < rtf["text2wav"] > rtf["mel2wav"] > 0
            assert speed["latency"] > 0
        assert row["macs"]["text2mel"] > 0 and row["macs"]["mel2wav"] is None
        assert 50 < row["memory_mb"]["libraries"] < row["memory_mb"]["peak"]
        assert row["size_mb"] > 0
    head = printed.splitlines()[0]
    assert "RTF mel → wav, 1 thread " in head and "Latency (ms), 2 threads" in head
    assert "MMAC mel → wav" not in head  # Griffin-Lim
    assert (out / "bench.md").read_text().startswith(printed.rstrip())
    assert (out / "speed_size.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in out.iterdir()) == [
        "bench.json",
        "bench.md",
        "speed_size.png",
    ]


def test_the_decoder_of_a_text_to_waveform_model_has_columns():
    stages = Stages(None, None, 0.5, 0.1, 0.4)
    rows = [
        Row(
            name="vits",
            params=3_000,
            decoder_params=2_000,
            size_mb=1.0,
            memory_mb=Memory(200.0, 100.0),
            macs=stages,
            speed={1: Speed(stages, 0.1)},
            model="model.pth",
            config="config.yaml",
        )
    ]
    facts = dict.fromkeys(("date", "cpu", "espnet", "torch", "python"), "")
    facts |= {"vocoder": "", "chunk": "", "repeats": 1}
    head, _, row, *_ = markdown(rows, facts).splitlines()
    cells = dict(
        zip(*([cell.strip() for cell in line.split("|")] for line in (head, row)))
    )
    assert (cells["Parameters"], cells["of the decoder"]) == ("3,000", "2,000")
    assert cells["RTF text → latents, 1 thread"] == "0.1000"
    assert cells["RTF latents → wav, 1 thread"] == "0.4000"
    assert "RTF text → mel, 1 thread" not in cells


def test_json_alone_is_on_stdout(experiments, sentences, capfd):
    options = ["--sentences", str(sentences), *ONE, "--json"]
    assert main(["bench", str(experiments["student"]), *options]) == 0
    (row,) = json.loads(capfd.readouterr().out)["rows"]
    assert list(row["speed"]) == ["1"]


def refuse(capsys, message, *arguments):
    assert main(["bench", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("espnet-distill bench: error: ") and err.count("\n") == 1
    assert message in err and not out


def test_a_missing_experiment(experiments, tmp_path, capsys):
    refuse(capsys, "nobody", experiments["teacher"], tmp_path / "nobody")


@pytest.mark.parametrize("option", ["--threads", "--repeats"])
def test_numbers_below_one(option, experiments, capsys):
    refuse(capsys, f"{option}: 0", experiments["teacher"], option, 0)


def test_sentences_that_are_not_there(experiments, tmp_path, capsys):
    path = tmp_path / "sentences"
    refuse(capsys, "no file", experiments["teacher"], "--sentences", path)
    path.write_text("\n \n")
    refuse(capsys, "is empty", experiments["teacher"], "--sentences", path)


def test_sentences_are_english_for_an_english_g2p_only(
    experiments, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(experiments["student"], "exp")
    conf = yaml.safe_load(Path("exp/config.yaml").read_text())
    conf |= {"token_type": "phn", "g2p": "espeak_ng_english_us_vits"}
    Path("exp/config.yaml").write_text(yaml.safe_dump(conf))
    assert sentences_for(Experiment("exp")) == SENTENCES
    conf["g2p"] = None
    conf["valid_data_path_and_name_and_type"] = [["dev/text", "text", "text"]]
    Path("exp/config.yaml").write_text(yaml.safe_dump(conf))
    with pytest.raises(ConfigError, match="no English g2p, and the text of its valid"):
        sentences_for(Experiment("exp"))
    Path("dev").mkdir()
    Path("dev/text").write_text("a ʃ ø n\nb z yː s\n", "utf-8")
    assert sentences_for(Experiment("exp")) == ["ʃ ø n", "z yː s"]


def test_a_folder_that_is_a_file(experiments, tmp_path, capsys):
    (tmp_path / "out").write_text("")
    refuse(capsys, "--out: ", experiments["teacher"], "--out", tmp_path / "out")


def test_rows_of_one_name(experiments, capsys):
    folder = experiments["teacher"]
    checkpoint = folder / "train.loss.ave.pth"
    refuse(capsys, "are not unique", folder, checkpoint)


def test_memory_excludes_the_parent_process(experiments):
    folder = experiments["student"]
    program = (
        "import sys; from espnet_distill.profiling.memory import *\n"
        "held = bytearray(1_500_000_000)\n"
        "print(memory_of(Experiment(sys.argv[1]), 'ten').peak, peak_mb())"
    )
    child, parent = map(float, run_python("-c", program, folder).stdout.split())
    assert child < 1500 < parent


def test_memory_of_a_failing_subprocess(experiments, tmp_path):
    (tmp_path / "model.pth").write_text("no weights")
    shutil.copy(experiments["student"] / "config.yaml", tmp_path)
    with pytest.raises(ConfigError, match="cannot synthesize in a subprocess"):
        memory_of(Experiment(tmp_path), "ten")
