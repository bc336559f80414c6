"""The Python API: lazy names, docstrings, argument checks, and docs/api.md."""

import argparse
import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import espnet_distill
from espnet_distill.cli.main import main
from espnet_distill.errors import ConfigError
from espnet_distill.pruning.post_training.prune import ALLOCATIONS

from .conftest import FASTSPEECH2, load_stock, make_experiment

PAGE = Path(__file__).parents[1] / "docs/api.md"
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FUNCTIONS = (
    *("bench", "compact", "compare", "derive", "describe", "evaluate", "export"),
    *("init", "new_recipe", "prune", "unpack"),
)
WIDE = {"adim": 64, "eunits": 128, "dunits": 128, "postnet_chans": 32}


def run(program):
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_importing_the_package_imports_no_torch_and_no_function():
    program = (
        "import sys, espnet_distill\n"
        "dir(espnet_distill)\n"
        "print(*(name for name in sys.modules))"
    )
    imported = set(run(program).split())
    assert imported.isdisjoint({"torch", "espnet2", "numpy"})
    assert {name for name in imported if name.startswith("espnet_distill")} == {
        "espnet_distill"
    }


@pytest.mark.parametrize("name", ["Experiment", "prune", "init", "unpack", "evaluate"])
def test_a_function_without_torch_at_hand(name):
    """Getting these functions takes no torch: they import it when they are called."""
    program = (
        f"import sys; from espnet_distill import {name}; print('torch' in sys.modules)"
    )
    assert run(program) == "False\n"


def test_all_names_are_listed():
    assert set(FUNCTIONS) < set(espnet_distill.__all__) <= set(dir(espnet_distill))


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'distill'"):
        espnet_distill.distill
    with pytest.raises(ImportError):
        exec("from espnet_distill import distill")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_docstring_describes_arguments_results_and_errors(name):
    function = getattr(espnet_distill, name)
    described = inspect.getdoc(function)
    arguments = described.partition("Args:")[2].partition("Returns:")[0]
    for parameter in inspect.signature(function).parameters.values():
        assert f"\n    {parameter.name}: " in arguments
        assert parameter.annotation is not inspect.Parameter.empty
    assert "Returns:" in described and "Raises:" in described


def choices(command, option):
    """Return the choices of an option of a command."""
    parser = argparse.ArgumentParser()
    import_module(f"espnet_distill.cli.{command}").add_arguments(parser)
    return tuple(parser._option_string_actions[option].choices)


def test_options_have_the_choices_of_the_arguments():
    from espnet_distill.onnx_export import storage
    from espnet_distill.students import derive

    assert choices("export", "--weights") == storage.WEIGHTS
    assert choices("derive", "--allocate-by") == derive.ALLOCATIONS
    assert choices("derive", "--importance") == derive.IMPORTANCES
    assert choices("prune", "--allocate-by") == ALLOCATIONS


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "give one of pressure, parameters, rtf and student_config"),
        ({"pressure": 0.5, "rtf": 0.1}, "give one of pressure, parameters, rtf and"),
        ({"pressure": 1.0}, "--pressure: 1.0 is not from 0 to below 1"),
        ({"parameters": 0}, "--budget-params: 0 is not above 0"),
        ({"rtf": float("inf")}, "--budget-rtf: inf is not above 0"),
        (
            {"student_config": "train.yaml", "keep": ["depth"]},
            "--student-config: sets every size",
        ),
        ({"pressure": 0.5, "allocate_by": "size"}, "allocate_by: no 'size'; there is"),
        ({"pressure": 0.5, "importance": "wand"}, "importance: no 'wand'; there is"),
        ({"pressure": 0.5, "importance": "taylor"}, "--importance taylor: requires -"),
    ],
)
def test_derive_refuses(arguments, message, tmp_path):
    with pytest.raises(ConfigError, match=re.escape(message)):
        espnet_distill.derive(tmp_path / "exp", **arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"pressure": 0}, "--pressure: 0 is not above 0 and below 1"),
        ({"pressure": 0.5, "allocate_by": "macs"}, "allocate_by: no 'macs'; there is"),
        ({"pressure": 0.5, "low_rank": True, "merge": True}, "--low-rank: removes no "),
        (
            {"pressure": 0.5, "low_rank": True, "allocate_by": "latency"},
            "--low-rank: removes no units; leave out --merge and --allocate-by",
        ),
    ],
)
def test_prune_refuses(arguments, message, tmp_path):
    with pytest.raises(ConfigError, match=re.escape(message)):
        espnet_distill.prune(tmp_path / "exp", **arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["compact", "derive", "prune"])
def test_an_output_that_exists(name, tmp_path, capsys):
    """It is refused before the experiment is looked for."""
    size = [] if name == "compact" else ["--pressure", "0.5"]
    assert main([name, "exp", str(tmp_path), *size]) == 2
    assert "exists: name a new folder" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["threads", "repeats"])
def test_bench_refuses(option, tmp_path):
    with pytest.raises(ConfigError, match=f"--{option}: 0 is not above 0"):
        espnet_distill.bench([tmp_path], **{option: 0})


def test_the_examples_of_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    teacher = make_experiment(Path("exp/tts_teacher"), tts_conf=FASTSPEECH2 | WIDE)
    capsys.readouterr()
    names, printed = {}, ""
    for language, text in FENCED.findall(PAGE.read_text(encoding="utf-8")):
        if language == "python":
            exec(compile(text, str(PAGE), "exec"), names)
            printed = capsys.readouterr().out
        else:
            for line in text.splitlines():
                title = line.split("|")[1] if line.startswith("|") else line
                assert title.strip(" -") in printed
    before = load_stock(teacher).tts
    after = names["half"].model.tts
    sizes = [sum(p.numel() for p in tts.parameters()) for tts in (before, after)]
    assert sizes[1] == pytest.approx(0.5 * sizes[0], rel=0.05)
    made = {path.name for path in Path("exp").iterdir()}
    assert made == {
        *("tts_teacher", "tts_half", "tts_pruned_0.3", "tts_pruned_0.5", "student"),
    }
    assert (tmp_path / "exp/student/init.pth").is_file()
