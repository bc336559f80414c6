"""Results as VERSA 1.0's scorer writes them: a dictionary's repr a line."""

import json
import math

import numpy as np
import pytest

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics.versa import read_results
from espnet_distill.evaluation.table import read

from .conftest import TEXTS
from .test_evaluate import evaluate, refuse


def result(key, utmos, wrong, right, text="it isn't"):
    edits = {"delete": 0, "insert": wrong, "replace": 1, "equal": right}
    counts = {f"espnet_wer_{name}": count for name, count in edits.items()}
    transcript = {"espnet_hyp_text": text, "ref_text": text}
    return {"key": key, "utmos": utmos, "mcd": np.float32(6.5), **transcript, **counts}


@pytest.fixture
def write(tmp_path):
    def write(*results, wavs=tmp_path / "wav", job=1):
        path = wavs.parent / "scoring" / "versa_eval" / f"result.{job}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{one}\n" for one in results))
        return wavs

    return write


def test_means_and_rates_of_all_sentences(write):
    write(result("a", 3.0, wrong=1, right=9), result("c", math.nan, 0, 0), job=1)
    wavs = write(result("b", 4.0, wrong=0, right=39), job=2)
    assert read_results(wavs, ["b", "a"]) == {
        "utmos": 3.5,
        "mcd": 6.5,
        "espnet_wer": 100 * 3 / 50,
    }
    assert read_results(wavs, ["a", "c"])["utmos"] == 3.0  # what is no number is not


def test_json_is_read_too(write):
    line = json.dumps({"key": "a", "utmos": 3.0, "snr": math.inf, "text": "didn't"})
    assert read_results(write(line), ["a"]) == {"utmos": 3.0}


def test_without_stage_9(tmp_path):
    assert read_results(tmp_path / "wav", ["a"]) == {}


def test_results_of_other_sentences_are_left_out(write, capsys):
    wavs = write(result("a", 3.0, 0, 1))
    assert read_results(wavs, ["a", "b"]) == {}
    assert "lack 1 utterances, the first b" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["[1]", "{'key': open('x', 'w')}", "{'utmos': 3}", ""])
def test_other_lines_are_refused_and_not_run(write, line, tmp_path):
    wavs = write(result("a", 3.0, 0, 1), line)
    with pytest.raises(ConfigError, match="result.1.txt: line 2: no result of VERSA"):
        read_results(wavs, ["a"])
    assert not (tmp_path / "x").exists()


def test_further_columns(recipe, write):
    wavs = recipe / "exp" / "student" / "decode" / "eval" / "wav"
    write(*(result(utt, 3.25, 0, 3) for utt in TEXTS), wavs=wavs)
    evaluate(recipe, "--metrics", "dnsmos")
    _, further, caption = (recipe / "out" / "table.md").read_text().split("\n\n", 2)
    header, _, _, teacher, student = further.splitlines()
    assert "| VERSA utmos | VERSA mcd | VERSA espnet_wer |" in header
    assert "3.250" in student and "25.000" in student and teacher.count("–") == 3
    assert "stage 9 of `tts.sh`" in caption
    rows, *_ = read(recipe / "out" / "table.json")
    assert rows[2].versa["espnet_wer"] == 25
    assert "VERSA utmos" in (recipe / "out" / "report.html").read_text()
    write("no result", wavs=wavs)
    (recipe / "out").rename(recipe / "before")
    refuse(recipe, "result.1.txt: line 1: no result of VERSA", "--metrics", "dnsmos")
