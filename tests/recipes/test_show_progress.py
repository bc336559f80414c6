"""Progress of local jobs from their logs."""

import os
import signal
import subprocess
import sys
import time

import pytest

from espnet_distill.data.aligner import progress_bar
from espnet_distill.recipes.show_progress import Follower, Progress, read_progress

PROGRAM = [sys.executable, "-m", "espnet_distill.recipes.show_progress"]


def epoch(number, total=8):
    return f"[vm] 2026-11-29 21:09:20,227 (trainer:334) INFO: {number}/{total}epoch started\n"


def batch(number, last):
    return f"[vm] (trainer:810) INFO: {number}epoch:train:{last - 4}-{last}batch: l=1\n"


def test_training_with_its_batches(tmp_path):
    log = tmp_path / "train.log"
    log.write_text(
        "[train] mini-batch sizes summary: N-batch=20, mean=12.0\n" + epoch(1)
    )
    assert read_progress(log) == Progress(0, 8, unit="epochs")
    log.write_text(log.read_text() + batch(1, 20) + epoch(2) + batch(2, 5))
    assert read_progress(log) == Progress(1.25, 8, unit="epochs")
    (tmp_path / "config.yaml").write_text("num_iters_per_epoch: 10\n")
    assert read_progress(log) == Progress(1.5, 8, unit="epochs")


def test_progress_bar(tmp_path):
    log = tmp_path / "align.log"
    with log.open("w") as file:
        file.write("# python3 -m espnet_distill.data.aligner 100%\nINFO:root:1 [x]\n")
        with progress_bar(total=4, desc="training", file=file, mininterval=0) as bar:
            bar.set_postfix(loss="1.5", refresh=False)
            bar.update(3)
            bar.refresh()
            assert read_progress(log) == Progress(3, 4, "training")


def test_synthesis(tmp_path):
    log, keys = tmp_path / "tts_inference.1.log", tmp_path / "keys.1.scp"
    log.write_text("(tts_inference:675) INFO: a (size:9->1024)\nINFO: b (size:9->9)\n")
    assert read_progress(log) is None
    keys.write_text("a 1\nb 1\nc 1\n")
    assert read_progress(log) == Progress(2, 3, unit="utterances")


def test_data_preparation(tmp_path):
    log = tmp_path / "format_wav_scp.2.log"
    (tmp_path / "wav.2.scp").write_text("a 1\nb 1\nc 1\n")
    log.write_text(
        "# python3 format_wav_scp.py\n0it [00:00, ?it/s]\r2it [00:01, 2it/s]"
    )
    assert read_progress(log) == Progress(2, 3, unit="utterances")


def test_statistics(tmp_path):
    log, features = tmp_path / "stats.1.log", "collect_feats/data_feats"
    log.write_text("INFO: Niter: 100\n")
    for name in ("train", "valid"):
        (tmp_path / f"{name}.1.scp").write_text("a 1\nb 1\n")
    (tmp_path / "stats.1/train" / features).mkdir(parents=True)
    for name in ("a", "b"):
        (tmp_path / "stats.1/train" / features / f"{name}.npy").touch()
    assert read_progress(log) == Progress(2, 4, unit="utterances")


def bar(path, done, total, seconds):
    path.write_text(
        f"train: {100 * done // total:3d}% ### {done}/{total} [00:10 < 00:10]"
    )
    os.utime(path, (seconds, seconds))


def test_lines_of_a_job_array(tmp_path):
    one, two, old = (tmp_path / f"dump.{name}.log" for name in ("1", "2", "3"))
    begin = time.mktime((2026, 11, 29, 21, 0, 0, 0, 0, -1))
    bar(old, 40, 100, begin - 1)
    follower = Follower("dump", tmp_path, begin, interval=30)
    assert follower.line(begin + 1) is None
    bar(one, 0, 100, begin + 10)
    bar(two, 0, 100, begin + 10)
    assert follower.line(begin + 10) is None
    bar(one, 20, 100, begin + 30)
    assert follower.line(begin + 30) is None  # sooner than the interval
    bar(two, 20, 100, begin + 50)
    line = follower.line(begin + 50)
    assert line == "dump, train: 40 of 200, 3 min left, ends 21:03"
    assert follower.line(begin + 100) is None  # nothing is added
    bar(two, 21, 100, begin + 110)
    assert follower.line(begin + 110) is None  # less than 1 %
    bar(two, 22, 100, begin + 7000)
    assert follower.line(begin + 7000).endswith("7 h 18 min left, ends Mon 06:14")


def test_part_that_begins_anew_has_its_own_pace(tmp_path):
    log, begin = tmp_path / "align.log", time.time()
    follower = Follower("alignment", tmp_path, begin, interval=1)
    for done, total, seconds in ((0, 10, 1), (9, 10, 100), (0, 4, 110)):
        bar(log, done, total, begin + seconds)
        line = follower.line(begin + seconds)
    assert line is None
    bar(log, 2, 4, begin + 120)
    assert "2 of 4, 10 s left" in follower.line(begin + 120)


@pytest.fixture
def parent(tmp_path):
    """A shell that has started the program in the background, and its output."""
    command = f'"$@" --parent $$ --interval 0.2 "job={tmp_path}" & wait'
    shell = subprocess.Popen(
        ["bash", "-c", command, "bash", *PROGRAM], stdout=subprocess.PIPE, text=True
    )
    yield shell
    shell.kill()
    shell.communicate()


def test_program_prints_and_ends_with_its_parent(parent, tmp_path):
    log = tmp_path / "job.log"
    log.write_bytes(b"\xff not text")
    for done in range(100):
        time.sleep(0.3)
        log.write_text(f"work: {done}% ### {done}/100 [00:10 < 00:10]")
        if done > 10:
            break
    assert "job, work: " in parent.stdout.readline()
    parent.send_signal(signal.SIGKILL)
    start = time.monotonic()
    parent.stdout.read()  # until the program has closed its end
    assert time.monotonic() - start < 10
