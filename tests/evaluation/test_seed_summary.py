"""Several seeds of a setting, from the files of an evaluation."""

import csv
import json

import pytest

from espnet_distill.cli.main import main
from espnet_distill.evaluation.seed_summary import CSV_COLUMNS

ROWS = {
    "reference": 0,
    "teacher": 1,
    "alone_seed1": 3,
    "alone_seed2": 5,
    "new_seed1_compact": 2,
}


@pytest.fixture
def evaluation(tmp_path):
    rows = [
        {
            "name": name,
            "wer": 10.0 * errors,
            "dnsmos": 3.0,
            "mcd": None if name == "reference" else 6.0 + errors,
            "log_f0_rmse": 0.2,
            "duration_error": 12.0,
            "mel_error": 0.4,
        }
        for name, errors in ROWS.items()
    ]
    (tmp_path / "table.json").write_text(json.dumps({"rows": rows}))
    lines = [
        f"{utt},{name},{errors * (1 + place)},{10 * (1 + place)},3.0\n"
        for place, utt in enumerate("ab")
        for name, errors in ROWS.items()
    ]
    (tmp_path / "scores.csv").write_text(
        "utt,row,errors,words,dnsmos\n" + "".join(lines)
    )
    return tmp_path


def test_mean_range_and_difference(evaluation, capsys):
    out = evaluation / "results" / "seeds.csv"
    arguments = ["summarize-seeds", str(evaluation), "--csv", str(out)]
    assert main([*arguments, "--against", "teacher", "alone"]) == 0
    _, _, teacher, alone, new = capsys.readouterr().out.strip().splitlines()
    assert teacher.split()[:6] == ["|", "teacher", "|", "1", "|", "10.0"]
    assert "40.0 (30.0–50.0)" in alone and "10.00 (9.00–11.00)" in alone
    assert "+30.0 [+30.0, +30.0]" in alone
    assert "+10.0 [+10.0, +10.0]" in new and "−20.0 [−20.0, −20.0]" in new
    with out.open() as file:
        table = list(csv.DictReader(file))
    assert tuple(table[0]) == CSV_COLUMNS
    assert [(line["setting"], line["seed"], line["wer"]) for line in table] == [
        ("teacher", "", "10.0000"),
        ("alone", "1", "30.0000"),
        ("alone", "2", "50.0000"),
        ("new", "1", "20.0000"),
    ]


def test_a_measure_that_only_some_evaluations_have(evaluation, capsys):
    path = evaluation / "table.json"
    table = json.loads(path.read_text())
    for place, row in enumerate(table["rows"]):
        row["utmos"] = 3.0 + place / 4
    path.write_text(json.dumps(table))
    assert (
        main(
            ["summarize-seeds", str(evaluation), "--csv", str(evaluation / "seeds.csv")]
        )
        == 0
    )
    title, _, _, alone, _ = capsys.readouterr().out.strip().splitlines()
    assert "UTMOS" in title and "NISQA" not in title
    assert "3.62 (3.50–3.75)" in alone
    with (evaluation / "seeds.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert tuple(lines[0]) == (*CSV_COLUMNS, "utmos")
    assert [line["utmos"] for line in lines][:2] == ["3.2500", "3.5000"]


def test_a_seed_before_and_after_compaction(evaluation, capsys):
    path = evaluation / "table.json"
    table = json.loads(path.read_text())
    table["rows"].append(table["rows"][-1] | {"name": "new_seed1"})
    path.write_text(json.dumps(table))
    assert main(["summarize-seeds", str(evaluation)]) == 2
    message = (
        "new_seed1_compact and new_seed1 are one seed of new; evaluate one of them"
    )
    assert message in capsys.readouterr().err


def test_a_setting_that_is_not_there(evaluation, capsys):
    assert main(["summarize-seeds", str(evaluation), "--against", "nobody"]) == 2
    assert "nobody" in capsys.readouterr().err


def test_a_folder_without_an_evaluation(tmp_path, capsys):
    assert main(["summarize-seeds", str(tmp_path)]) == 2
    assert "no table of `espnet-distill evaluate`" in capsys.readouterr().err
