"""On mutated input, a command exits with status 0, or with 2 and an error message,
within the time limit and without leftover files.

A case that fails is run again by ``python -m tests.fuzz --seed SEED --case NUMBER``.
"""

from importlib.util import find_spec

import pytest

from espnet_distill.cli import main as cli

from .cases import run_case, run_whole
from .commands import COMMANDS
from .world import build

SEED = 0
FAST, SLOW = 320, 4000
SHARDS = 8
READ_NOTHING = {"template", "espnet-root"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    build(folder)
    return folder


def require_good(world, place, numbers):
    cases = (run_case(world, place, SEED, number) for number in numbers)
    failed = [str(case) for case in cases if not case.is_good]
    assert not failed, "\n".join(failed)


def test_every_command_that_reads_something_is_tried():
    tried = {command.name for command in COMMANDS}
    assert tried >= cli.COMMANDS.keys() - READ_NOTHING


@pytest.mark.parametrize(
    "number",
    range(len(COMMANDS)),
    ids=[f"{number}-{command.name}" for number, command in enumerate(COMMANDS)],
)
def test_valid_input_works(number, world, tmp_path):
    if COMMANDS[number].name == "evaluate" and find_spec("pysptk") is None:
        pytest.skip("requires pysptk")
    case = run_whole(world, tmp_path / "case", number)
    assert case.ended == "0", case


@pytest.mark.parametrize("shard", range(SHARDS))
def test_mutated_input(shard, world, tmp_path):
    require_good(world, tmp_path / "case", range(shard, FAST, SHARDS))


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_more_mutated_input(shard, world, tmp_path):
    require_good(world, tmp_path / "case", range(FAST + shard, SLOW, SHARDS))
