"""Ctrl-C ends with a line and exit status 130, and no worker outlives its parent."""

import os
import signal
import subprocess
import sys
import time

import pytest

SLEEP = "import time; print('begun', flush=True); time.sleep(60)"
TRAINING = """
import sys, time
from espnet2.tasks.tts import TTSTask
def build_model(args):
    print("begun", flush=True)
    time.sleep(60)
TTSTask.build_model = build_model
TTSTask.main(cmd=sys.argv[1:])
"""
WORKERS = """
import os, sys, time
from pathlib import Path
from espnet_distill.evaluation.score import score_files
def ask(utt, text, wavs):
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(600)
ask.metrics = ()
score_files({"reference": dict.fromkeys("ab", Path("x"))}, dict.fromkeys("ab", ""), {}, ask)
"""


def interrupt(command, **options):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    child = subprocess.Popen(command, preexec_fn=_take_interrupts, **pipes, **options)
    while "begun" not in (line := child.stdout.readline()):
        assert line, child.stderr.read()
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    return child.returncode, err


def _take_interrupts():
    """Undo what a shell does to the jobs that it runs in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_command_ends_with_a_line(tmp_path):
    (tmp_path / "slow.py").write_text(
        f"def main(args):\n    {SLEEP}\ndef add_arguments(parser): pass\n"
    )
    script = (
        "import sys; from espnet_distill.cli import main as cli\n"
        "cli.COMMANDS['slow'] = ('wait', 'slow'); sys.exit(cli.main(['slow']))"
    )
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    status, err = interrupt([sys.executable, "-c", script], env=environment)
    assert (status, err) == (130, "espnet-distill slow: interrupted\n")


def test_a_program_run_with_the_plugin_ends_with_a_line(tmp_path):
    (tmp_path / "slow.py").write_text(SLEEP)
    command = [sys.executable, "-m", "espnet_distill", tmp_path / "slow.py"]
    status, err = interrupt(command)
    assert (status, err) == (130, "espnet_distill: interrupted\n")


@pytest.mark.slow
def test_a_training_ends_with_a_line_and_without_its_lock(corpus, teacher, tmp_path):
    (tmp_path / "train.py").write_text(TRAINING)
    config = corpus.config(tmp_path / "train.yaml", teacher=[str(teacher)])
    command = [sys.executable, "-m", "espnet_distill", tmp_path / "train.py"]
    status, err = interrupt([*command, *corpus.training(config, tmp_path / "exp")])
    assert status == 130 and "Traceback" not in err
    assert err.endswith("espnet_distill: interrupted\n")
    assert not (tmp_path / "exp").exists()


@pytest.mark.slow
def test_no_worker_of_an_evaluation_outlives_a_kill(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", WORKERS, tmp_path])
    end = time.monotonic() + 120
    while not (workers := os.listdir(tmp_path)):
        assert time.monotonic() < end and child.poll() is None
        time.sleep(0.1)
    child.kill()
    child.wait()
    end = time.monotonic() + 15
    while any(os.path.exists(f"/proc/{worker}") for worker in workers):
        assert time.monotonic() < end, workers
        time.sleep(0.1)
