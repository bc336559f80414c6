import subprocess
import sys
import time
from importlib import metadata

import pytest

from espnet_distill.cli import main as cli

CALL = "import sys; from espnet_distill.cli import main as cli; sys.exit(cli.main(sys.argv[1:]))"


def run(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", CALL, *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def seconds(*arguments: str) -> float:
    start = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - start


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_is_in_the_help_and_has_its_own(name, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    assert f"  {name} " in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        cli.main([name, "--help"])
    assert caught.value.code == 0
    assert f"usage: espnet-distill {name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_command_answers_without_torch_or_espnet(name):
    program = (
        "import sys; from espnet_distill.cli import main as cli\n"
        f"try: cli.main([{name!r}, '--no-such-option'])\n"
        "except SystemExit as stop: assert stop.code == 2\n"
        "print(sorted({'torch', 'espnet2', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert done.stdout == b"[]\n", done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["no-such-command"]])
def test_help_and_argument_errors_take_less_than_half_a_second(arguments):
    assert min(seconds(*arguments) for _ in range(3)) < 0.5


def test_commands_are_imported_only_when_asked_for():
    program = "import sys, espnet_distill.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    imported = set(done.stdout.decode().split())
    assert "espnet_distill.cli.main" in imported
    assert imported.isdisjoint(module for _, module in cli.COMMANDS.values())


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["espnet-root", "x"]])
def test_wrong_arguments_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_input_that_cannot_work_is_one_line_and_status_2(tmp_path, monkeypatch):
    monkeypatch.setenv("ESPNET_ROOT", str(tmp_path))
    done = run("espnet-root")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("espnet-distill espnet-root: error: ESPNET_ROOT=")
    assert done.stderr.count("\n") == 1


def test_version_is_the_installed_one():
    version = metadata.version("espnet_distill")
    assert run("--version").stdout == f"espnet_distill {version}\n"
