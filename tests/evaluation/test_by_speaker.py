"""The table by speaker, and its default speaker model."""

import json
from dataclasses import replace

import pytest

from espnet_distill.evaluation.evaluate import _default_speaker_model, _speakers_of
from espnet_distill.evaluation.metrics.wer import Errors
from espnet_distill.evaluation.table import (
    markdown,
    read,
    row,
    rows_by_speaker,
    table_by_speaker,
    write,
)

from .test_evaluate import evaluate
from .test_table import SCORES, make

SPEAKERS = {"a": "ann", "b": "bob"}


def test_a_row_is_of_a_speakers_sentences(tmp_path):
    rows = rows_by_speaker(SCORES, SPEAKERS)
    assert [(one.speaker, one.name) for one in rows] == [
        (speaker, name)
        for speaker in ("ann", "bob")
        for name in ("reference", "student")
    ]
    own = [score for score in SCORES if score.utt == "b"]
    assert rows[3] == replace(row("student", own), speaker="bob", sentences=1)
    assert table_by_speaker(rows)["WER (%)"] == ["0.0", "50.0", "16.7", "33.3"]
    write(tmp_path, *make(), SCORES, rows)
    assert read(tmp_path / "table.json")[2] == rows
    text = markdown(*make(), rows)
    assert text in (tmp_path / "table.md").read_text()
    assert "| bob" in text and "| Speaker" in text


def test_a_speaker_without_words(tmp_path):
    """Whisper's normalizer leaves nothing of "Hmm."."""
    scores = [
        replace(score, words=Errors(1, 0)) if score.utt == "b" else score
        for score in SCORES
    ]
    rows = rows_by_speaker(scores, SPEAKERS)
    assert table_by_speaker(rows)["WER (%)"][2:] == [None, None]
    write(tmp_path, *make(), scores, rows)
    assert read(tmp_path / "table.json")[2] == rows


def test_data_of_one_speaker_has_no_such_table(tmp_path):
    assert _speakers_of(tmp_path, SPEAKERS) == {}
    (tmp_path / "utt2spk").write_text("a ann\nb ann\nc bob\n")
    assert _speakers_of(tmp_path, SPEAKERS) == {}
    (tmp_path / "utt2spk").write_text("a ann\nb bob\n")
    assert _speakers_of(tmp_path, SPEAKERS) == SPEAKERS
    assert _default_speaker_model({}) is None


def test_the_report_has_the_table(recipe, systems):
    pytest.importorskip("resemblyzer")
    utterances = (recipe / "data/eval/text").read_text().splitlines()
    names = [line.split()[0] for line in utterances]
    table = "".join(f"{utt} {'ann' if i else 'bob'}\n" for i, utt in enumerate(names))
    (recipe / "data/eval/utt2spk").write_text(table)
    evaluate(recipe, "--metrics", "dnsmos")
    rows = json.loads((recipe / "out/table.json").read_text())["by_speaker"]
    assert [(one["speaker"], one["sentences"]) for one in rows[::3]] == [
        ("ann", len(names) - 1),
        ("bob", 1),
    ]
    assert "Figures by speaker" in (recipe / "out/report.html").read_text()
    assert "| bob" in (recipe / "out/RESULTS.md").read_text()
