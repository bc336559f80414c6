"""The runner and what it registers."""

import importlib
import subprocess
import sys
import time

import pytest

from espnet_distill import register

from .conftest import run_python

SHOW = """
import os, sys
import sibling
print(__name__, sys.argv, sibling.WORD, os.path.abspath(__file__), sys.path[0])
print(__spec__ and __spec__.name, vars(sys.modules["__main__"]) is globals())
sys.exit(7)
"""


@pytest.fixture
def programs(tmp_path):
    """A script and a package, each with a module beside it."""
    folder = tmp_path / "folder"
    package = tmp_path / "package"
    for place in (folder, package):
        place.mkdir()
        (place / "sibling.py").write_text("WORD = 'beside'\n")
        (place / "show.py").write_text(SHOW)
    (package / "__init__.py").touch()
    relative = SHOW.replace("import sibling", "from . import sibling")
    (package / "show.py").write_text(relative)
    (tmp_path / "fails.py").write_text("raise ValueError('on its own account')\n")
    (tmp_path / "link.py").symlink_to(folder / "show.py")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ["folder/show.py"],
        ["folder/show.py", "-m", "--option", "a b", ""],
        ["link.py", "x"],
        ["-m", "package.show"],
        ["-m", "package.show", "-m", "other", "--help"],
    ],
    ids=" ".join,
)
def test_a_program_sees_what_python3_shows_it(programs, command):
    plain = run_python(*command, cwd=programs)
    ours = run_python("-m", "espnet_distill", *command, cwd=programs)
    assert plain.returncode == 7, plain.stderr
    assert (ours.stdout, ours.stderr) == (plain.stdout, plain.stderr)
    assert ours.returncode == 7


def test_a_program_fails_as_it_would_on_its_own(programs):
    ours = run_python("-m", "espnet_distill", "fails.py", cwd=programs)
    assert ours.returncode == 1
    assert ours.stderr.endswith("ValueError: on its own account\n")


def test_input_that_cannot_work_is_one_line_and_status_2(programs):
    (programs / "refuses.py").write_text(
        "from espnet_distill.errors import ConfigError\n"
        "raise ConfigError('a key: why')\n"
    )
    for command in (["refuses.py"], ["-m", "refuses"]):
        done = run_python("-m", "espnet_distill", *command, cwd=programs)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "espnet_distill: error: a key: why\n"


@pytest.mark.parametrize(
    "command, named",
    [
        (["nothing.py"], "nothing.py"),
        (["-m", "no_such_module"], "no_such_module"),
        (["-m", "no_such_package.module"], "no_such_package"),
    ],
)
def test_a_program_that_is_not_there_is_named(programs, command, named):
    done = run_python("-m", "espnet_distill", *command, cwd=programs)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and named in done.stderr


@pytest.mark.parametrize("arguments", [[], ["-m"], ["--option"], ["-m", "--option"]])
def test_wrong_arguments_show_the_usage(arguments):
    done = run_python("-m", "espnet_distill", *arguments)
    assert done.returncode == 2
    assert done.stderr == (
        "usage: python3 -m espnet_distill (-m MODULE | SCRIPT) [ARGS...]\n"
    )


@pytest.mark.parametrize(
    "command",
    [
        ["-c", "import espnet_distill"],
        ["-m", "espnet_distill", "--help"],
        ["-m", "espnet_distill"],
    ],
    ids=" ".join,
)
def test_what_needs_no_espnet_takes_less_than_half_a_second(command):
    def seconds():
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], capture_output=True)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 0.5
    done = run_python("-X", "importtime", *command)
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "espnet_distill" in imported
    assert not imported & {"torch", "espnet2", "numpy"}


@pytest.fixture
def unregistered(monkeypatch):
    """Give ESPnet's modules their own task, and again after the test."""
    from espnet2.tasks import tts

    from espnet_distill.tasks.text2mel import DistillTTSTask

    stock = DistillTTSTask.__base__
    monkeypatch.setattr(tts, "TTSTask", stock)
    for name in ("tts_train", "tts_inference"):
        module = importlib.import_module(f"espnet2.bin.{name}")
        monkeypatch.setattr(module, "TTSTask", stock)
    return monkeypatch


def test_a_registered_task_is_what_espnets_programs_run(unregistered):
    from espnet2.bin import tts_inference, tts_train

    from espnet_distill.tasks.text2mel import DistillTTSTask

    assert tts_train.TTSTask is not DistillTTSTask
    for _ in range(2):
        register()
        assert tts_train.TTSTask is tts_inference.TTSTask is DistillTTSTask
        assert DistillTTSTask.__base__.__name__ == "TTSTask"
    assert "--teacher" in tts_train.get_parser().format_help()


def test_a_program_imported_afterwards_has_it_too(unregistered):
    from espnet_distill.tasks.text2mel import DistillTTSTask

    register()
    unregistered.delitem(sys.modules, "espnet2.bin.tts_train")
    program = importlib.import_module("espnet2.bin.tts_train")
    assert program.TTSTask is DistillTTSTask


HOOKED = """
import sys
assert not {"torch", "espnet2"} & set(sys.modules)
import espnet2.tasks.tts as tts
from espnet2.bin.tts_train import TTSTask
assert TTSTask is tts.TTSTask
assert TTSTask.__module__ == "espnet_distill.tasks.text2mel"
assert TTSTask.__base__.__module__ == tts.__name__ == tts.__spec__.name
print(type(sys.meta_path[0]).__module__)
"""


def test_the_runner_registers_once_espnets_task_is_imported(tmp_path):
    (tmp_path / "hooked.py").write_text(HOOKED)
    done = run_python("-m", "espnet_distill", tmp_path / "hooked.py")
    assert done.returncode == 0, done.stderr
    assert "espnet_distill" not in done.stdout  # the hook is removed after its use


def test_callbacks_can_be_imported_before_espnets_task():
    """As by a job that reads a configuration with pruning and builds no model."""
    done = run_python("-m", "espnet_distill", "-m", "espnet_distill.pruning.callback")
    assert done.returncode == 0, done.stderr
