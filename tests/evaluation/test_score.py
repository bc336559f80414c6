"""Scoring in worker processes."""

import logging
import os
from pathlib import Path

from espnet_distill.evaluation.score import REFERENCE, Score, score_files

TEXTS = {"a": "one", "b": "two", "c": "three"}


class FailsInWorkers:
    """A scorer whose worker process ends at the second sentence."""

    metrics = ()

    def __init__(self):
        self.parent = os.getpid()

    def __call__(self, utt, text, wavs):
        if utt == "b" and os.getpid() != self.parent:
            os._exit(2)
        return [Score(utt, row) for row in wavs]


def test_a_worker_that_ends(caplog):
    wavs = {REFERENCE: {utt: Path(utt) for utt in TEXTS}}
    with caplog.at_level(logging.WARNING):
        scores = score_files(wavs, TEXTS, {}, FailsInWorkers())
    assert [score.utt for score in scores] == list(TEXTS)
    assert "EXIT(2)" in caplog.text and "goes on in one process" in caplog.text


class ReadsFiles:
    """A scorer whose transcript is what the file has."""

    metrics = ()

    def __call__(self, utt, text, wavs):
        return [
            Score(utt, row, hypothesis=wav.read_text()) for row, wav in wavs.items()
        ]


def test_another_folder_with_files_of_the_same_names(tmp_path, monkeypatch):
    """joblib keeps its workers, and their folder, for the next evaluation."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.wav").write_text(name)
        monkeypatch.chdir(tmp_path / name)
        wavs = {REFERENCE: {"a": Path("a.wav")}}
        (score,) = score_files(wavs, {"a": "one"}, {}, ReadsFiles())
        assert score.hypothesis == name
