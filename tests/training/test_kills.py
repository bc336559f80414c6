"""A training that is killed at any moment resumes to the same weights, bit for bit."""

import json
import random
from pathlib import Path

import pytest

from ..conftest import assert_equal, files, load, run_python

PROGRAM = Path(__file__).with_name("killing.py")
CALLBACKS = [
    {
        "type": "prune",
        "granularity": "unstructured",
        "criterion": "magnitude",
        "pressure": 0.5,
        "start": 1,
        "end": 4,
        "interval": 1,
    }
]


@pytest.mark.parametrize("with_teacher", [False, True], ids=["alone", "with_teacher"])
@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_kills(corpus, teacher, with_teacher, kills, tmp_path):
    """Half of the kills at random times, half before random changes to files."""
    hidden = {"objectives": [{"type": "mel"}, {"type": "hidden", "tap": "encoder"}]}
    keys = {"teacher": [str(teacher)], "distill_conf": hidden} if with_teacher else {}
    config = corpus.config(
        tmp_path / "train.yaml", max_epoch=4, callbacks=CALLBACKS, **keys
    )
    command = corpus.training(config, tmp_path)[:-2]
    draw = random.Random(len(keys) + kills)
    jobs = [{"command": command, "out": str(tmp_path / "whole"), "kill": None}]
    for number in range(kills):
        kind = "time" if (number + len(keys)) % 2 else "file"
        job = {"out": str(tmp_path / f"killed{number}"), "kill": {kind: draw.random()}}
        jobs.append({"command": command} | job)
    done = run_python(PROGRAM, input=json.dumps(jobs))
    assert done.returncode == 0, done.stderr[-5000:]
    print(done.stdout)
    assert len(done.stdout.splitlines()) == kills
    for job in jobs[1:]:
        resumed, expected = Path(job["out"]), tmp_path / "whole"
        assert files(resumed) == files(expected), job
        for path in expected.glob("*.pth"):
            name = path.name
            if path.is_symlink():
                assert (resumed / name).readlink() == path.readlink()
            elif name == "checkpoint.pth":
                kept = ("model", "optimizers", "schedulers")
                mine, other = load(resumed / name), load(path)
                for key in kept:
                    assert_equal(mine[key], other[key], f"{job['kill']} {key}")
            else:
                assert_equal(load(resumed / name), load(path), f"{job['kill']} {name}")
