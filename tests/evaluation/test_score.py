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
