import json

from espnet_distill.evaluation.asr import WordErrors
from espnet_distill.evaluation.quality import Score
from espnet_distill.evaluation.table import environment, markdown, row, write

SCORES = [
    Score("a", "reference", WordErrors(0, 4), 3.5, None, "one, two"),
    Score("b", "reference", WordErrors(1, 6), 3.0, None, "three"),
    Score("a", "student", WordErrors(2, 4), 3.0, 5.0, "one"),
    Score("b", "student", WordErrors(2, 6), 2.0, 7.0, 'say "two"'),
]
COSTS = {
    "params": 1234567,
    "size_mb": 4.94,
    "rtf_text2mel": 0.00321,
    "rtf_text2wav": 0.0456,
    "model": "/exp/train.loss.ave.pth",
    "config": "/exp/config.yaml",
}


def make():
    rows = [row("reference", SCORES), row("student", SCORES, **COSTS)]
    return rows, environment("dump/raw/eval", 2, "tiny.en", "Griffin-Lim")


def test_a_row_sums_up_its_own_scores():
    reference, student = make()[0]
    assert (reference.wer, reference.dnsmos, reference.mcd) == (10.0, 3.25, None)
    assert (student.wer, student.dnsmos, student.mcd) == (40.0, 2.5, 6.0)


def test_markdown_is_aligned_and_has_a_caption():
    table, caption = markdown(*make()).split("\n\n", 1)
    header, rule, reference, student = table.splitlines()
    assert len({len(line) for line in (header, rule, reference, student)}) == 1
    assert {line.count("|") for line in (header, rule, reference, student)} == {9}
    assert " 1,234,567 |" in student and "0.0032" in student and "40.0" in student
    assert reference.count("–") == 5
    assert "2 held-out sentences" in caption and "token ids" in caption


def test_files(tmp_path):
    write(tmp_path, *make(), SCORES)
    table = json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    assert list(table) == ["environment", "rows"]
    keys = "date espnet torch python cpu asr_model vocoder data sentences"
    assert list(table["environment"]) == keys.split()
    reference, student = table["rows"]
    assert list(reference) == list(student)
    assert reference["params"] is reference["mcd"] is reference["model"] is None
    assert student.items() >= COSTS.items()
    lines = (tmp_path / "scores.csv").read_text().splitlines()
    assert lines[0] == "utt,row,errors,words,dnsmos,mcd,hypothesis"
    assert lines[1] == 'a,reference,0,4,3.5000,,"one, two"'
    assert not list(tmp_path.glob("*.tmp"))
