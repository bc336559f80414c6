"""The installed package has what its commands need, without the source tree."""

import os
import subprocess
from pathlib import Path

import pytest
import torch
import yaml

import espnet_distill

from .conftest import FASTSPEECH2, FEATURES, PITCH, STFT, make_experiment
from .recipes.test_init import copy_recipe
from .wheel import ROOT, install

EXTRACTION = {"pitch_extract_conf": PITCH, "energy_extract_conf": STFT}
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
    assert int(run("python3", "-c", program)) >= len(list(sources)) - 2


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
