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
        "what": "weights",
        "criterion": "magnitude",
        "pressure": 0.5,
        "start": 1,
        "end": 4,
        "interval": 1,
    }
]


@pytest.mark.parametrize("taught", [False, True], ids=["alone", "taught"])
@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_kills(corpus, teacher, taught, kills, tmp_path):
    """Half of the kills at random times, half before random changes to files."""
    hidden = {"objectives": [{"type": "mel"}, {"type": "hidden", "tap": "encoder"}]}
    taught = {"teacher": [str(teacher)], "distill_conf": hidden} if taught else {}
    config = corpus.config(
        tmp_path / "train.yaml", max_epoch=4, callbacks=CALLBACKS, **taught
    )
    command = corpus.training(config, tmp_path)[:-2]
    draw = random.Random(len(taught) + kills)
    jobs = [{"command": command, "out": str(tmp_path / "whole"), "kill": None}]
    for number in range(kills):
        kind = "time" if (number + len(taught)) % 2 else "file"
        job = {"out": str(tmp_path / f"killed{number}"), "kill": {kind: draw.random()}}
        jobs.append({"command": command} | job)
    done = run_python(PROGRAM, input=json.dumps(jobs))
    assert done.returncode == 0, done.stderr[-5000:]
    print(done.stdout)
    assert len(done.stdout.splitlines()) == kills
    for job in jobs[1:]:
        ours, theirs = Path(job["out"]), tmp_path / "whole"
        assert files(ours) == files(theirs), job
        for path in theirs.glob("*.pth"):
            name = path.name
            if path.is_symlink():
                assert (ours / name).readlink() == path.readlink()
            elif name == "checkpoint.pth":
                kept = ("model", "optimizers", "schedulers")
                mine, other = load(ours / name), load(path)
                for key in kept:
                    assert_equal(mine[key], other[key], f"{job['kill']} {key}")
            else:
                assert_equal(load(ours / name), load(path), f"{job['kill']} {name}")
