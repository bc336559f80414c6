"""The installed package has what its commands need, without the source tree."""

import os
import subprocess
from pathlib import Path

import pytest
import soundfile
import torch
import yaml

import espnet_distill

from .bad_input import tone
from .conftest import FASTSPEECH2, FEATURES, PITCH, RATE, STFT, make_experiment
from .recipes.test_init import copy_recipe
from .wheel import ROOT, install

EXTRACTION = {"pitch_extract_conf": PITCH, "energy_extract_conf": STFT}
ENGLISH = ["--language", "en"]
WIDE = FASTSPEECH2 | {"adim": 64, "eunits": 128, "dunits": 128, "postnet_chans": 32}


@pytest.fixture(scope="module")
def programs(wheel, tmp_path_factory):
    return install(wheel, tmp_path_factory.mktemp("installed") / "venv")


@pytest.fixture
def run(programs, tmp_path):
    """Run a program of the environment in a temporary folder."""

    def run(program, *arguments):
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        result = subprocess.run(
            [programs / program, *map(str, arguments)],
            cwd=tmp_path,
            env=environment | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    return run


def test_the_package_is_not_that_of_the_sources(run, programs):
    path = run("python3", "-c", "import espnet_distill as d; print(d.__file__)")
    assert Path(path.strip()).is_relative_to(programs.parent)
    assert not Path(path.strip()).is_relative_to(ROOT)


def test_every_module_is_imported(run):
    program = (
        "import importlib, pkgutil, espnet_distill\n"
        "found = pkgutil.walk_packages(espnet_distill.__path__, 'espnet_distill.')\n"
        "names = [m.name for m in found if not m.name.endswith('__main__')]\n"
        "[importlib.import_module(name) for name in names]\n"
        "print(len(names))"
    )
    sources = (ROOT / "espnet_distill").rglob("*.py")
    assert (
        int(run("python3", "-c", program)) >= len(list(sources)) - 3
    )  # two __main__, __init__


def test_init_then_check(run, tmp_path):
    """The presets and templates of conf/ and egs/ are in the wheel."""
    recipe = copy_recipe("mini_an4", tmp_path)
    run("espnet-distill", "init", recipe)
    student = recipe / "conf/distill/train_student.yaml"
    assert "tts: fastspeech2" in student.read_text()
    teacher = make_experiment(tmp_path / "teacher")
    with student.open("a") as file:
        keys = {"teacher": [str(teacher)], "feats_extract_conf": FEATURES}
        file.write(yaml.safe_dump(keys | EXTRACTION))
    assert "-> student (0.92 M) by mel" in run("espnet-distill", "check", student)


def test_new_recipe(run, tmp_path):
    """The templates are in the wheel, and run.sh finds distill.sh and the presets."""
    (tmp_path / "wavs").mkdir()
    for number in range(20):
        soundfile.write(tmp_path / f"wavs/c{number}.wav", tone(), RATE)
    lines = "".join(f"c{number}|A sentence.\n" for number in range(20))
    (tmp_path / "lines.csv").write_text(lines)
    corpus = ["--metadata", "lines.csv", "--wavs", "wavs"]
    run("espnet-distill", "new-recipe", "new", *corpus, "--g2p", "none", *ENGLISH)
    assert "adim: 192" in (tmp_path / "new/conf/train_teacher.yaml").read_text()
    scripts = Path(run("espnet-distill", "template").strip())
    assert (scripts / "distill.sh").is_file()
    assert (scripts / "../../../conf/students/fastspeech2_small.yaml").is_file()


def test_prune(run, tmp_path):
    make_experiment(tmp_path / "exp", tts_conf=WIDE)
    printed = run("espnet-distill", "prune", "exp", "half", "--pressure", "0.5")
    assert "Widths: " in printed


def test_a_class_of_the_plugin_is_registered_before_it_is_looked_up(run, tmp_path):
    espnet_distill.register()
    folder = make_experiment(tmp_path / "exp", tts="fastspeech2_convnext", tts_conf={})
    path = folder / "train.loss.ave.pth"
    state = torch.load(path, weights_only=True)
    for name, tensor in state.items():
        if name.startswith("tts.") and tensor.dim() == 3:
            tensor[::2] = 0
    torch.save(state, path)
    assert "weights are zero" in run("espnet-distill", "compact", "exp", "out")
