"""egs/mini_an4 through every stage, its jobs on a Slurm cluster of one node."""

import json
import time

import pytest

from .mini_an4 import copy_recipe, run
from .slurm import missing_programs, start_cluster

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(missing_programs()),
        reason="Debian's package slurm-wlm is missing: apt-get install slurm-wlm",
    ),
]

QUEUE = """\
command sbatch --export=ALL
option name=* --job-name $0
option num_threads=* --cpus-per-task $0
default gpu=0
option gpu=0 -p cpu
option gpu=* -p gpu --gres=gpu:$0
"""


@pytest.fixture(scope="module")
def cluster():
    with start_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def finished(cluster, tmp_path_factory):
    """The recipe's folder after all its stages, and the jobs that Slurm has ended."""
    recipe = copy_recipe(tmp_path_factory.mktemp("recipes"))
    (recipe / "conf/slurm.conf").write_text(QUEUE)
    begin = time.monotonic()
    done = run(recipe, cmd_backend="slurm", **cluster.environment)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    jobs = cluster.jobs()
    print(f"{len(jobs)} jobs in {time.monotonic() - begin:.0f} s")
    return recipe, jobs


def test_every_job_completes_on_the_node(finished, cluster):
    recipe, jobs = finished
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    assert {job["ExitCode"] for job in jobs} == {"0:0"}
    assert {job["WorkDir"] for job in jobs} == {str(recipe)}
    assert cluster.query("squeue", "-h") == ""


def test_trainings_and_arrays_are_jobs(finished):
    recipe, jobs = finished
    logs = {
        "alignment": "exp/alignment/align.log",
        "teacher": "exp/teacher/train.log",
        "teacher dump": "exp/teacher_dump/train/log/dump.2.log",
        "student": "exp/student/train.log",
        "synthesis": "exp/student/student_decode/test/log/tts_inference.2.log",
    }
    for path in logs.values():
        assert "# SLURM_JOB_ID=" in (recipe / path).read_text()
    assert len(jobs) > len(logs)


def test_table_has_a_row_for_each_system(finished):
    recipe, _ = finished
    rows = json.loads((recipe / "exp/evaluation/table.json").read_text())["rows"]
    assert [row["name"] for row in rows] == ["reference", "teacher", "student"]


def test_a_failed_job_fails_the_recipe_with_one_line(finished, cluster):
    recipe, _ = finished
    options = ["--stage", 2, "--stop_stage", 2, "--python", "python3 -m no_program"]
    done = run(recipe, *options, cmd_backend="slurm", **cluster.environment)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(
        "./distill.sh: error: alignment failed: "
    )
    assert cluster.jobs()[-1]["JobState"] == "FAILED"


def test_every_daemon_is_stopped_afterwards():
    with start_cluster() as cluster:
        assert [daemon.poll() for daemon in cluster.daemons] == [None] * 3
    assert None not in [daemon.poll() for daemon in cluster.daemons]
    assert not cluster.root.exists()
