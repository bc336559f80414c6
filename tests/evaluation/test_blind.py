"""The blind comparison's page, and the summary of what it saves."""

import base64
import io
import json
import re
import shutil
import subprocess
from collections import Counter
from itertools import combinations
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile
from scipy.stats import binomtest

from espnet_distill.cli import main as cli
from espnet_distill.errors import ConfigError
from espnet_distill.evaluation import report, table
from espnet_distill.evaluation.blind_summary import summarize_blind
from espnet_distill.evaluation.html.blind import choose_trials, identify
from espnet_distill.evaluation.html.loudness import equalize, measure_loudness
from espnet_distill.evaluation.html.results import read_evaluation

from ..onnx_export.chromium import PROGRAM, Chromium
from .conftest import RATE, speechlike
from .test_report import Page

SYSTEMS = ["teacher", "student_a", "student_b"]
ROWS = ["reference", *SYSTEMS]
UTTS = [f"utt_{number}" for number in range(10)]
TEXTS = {utt: f"</script><b>Größe</b> {utt}" for utt in UTTS}
LEVELS = dict(zip(ROWS, (0.3, 1.0, 0.05, 0.6)))
PRESS = Path(__file__).with_name("press.mjs")


@pytest.fixture
def evaluation(tmp_path):
    """What `evaluate` leaves of a recording, a teacher and two students."""
    out = tmp_path / "evaluation"
    for shift, (name, level) in enumerate(LEVELS.items()):
        for seed, utt in enumerate(UTTS):
            wav = out / "wav" / name / f"{utt}.wav"
            wav.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(wav, level * speechlike(seed + shift), RATE)
    environment = table.environment("data/eval", 10, "tiny.en", "Griffin-Lim")
    table.write(out, [table.Row(name=name) for name in ROWS], environment, [])
    (out / "text").write_text("".join(f"{utt} {text}\n" for utt, text in TEXTS.items()))
    (out / "scores.csv").unlink()
    return out


def key_of(path):
    """Return what a page knows of its trials, and its clips."""
    (clips,) = re.findall(r'<script id="clips"[^>]*>(.*?)</script>', path.read_text())
    (key,) = re.findall(r'<script id="key"[^>]*>(.*?)</script>', path.read_text())
    return json.loads(base64.b64decode(key)), json.loads(clips)


def decoded(uri):
    head, _, content = uri.partition(",")
    assert head == "data:audio/mpeg;base64"
    return soundfile.read(io.BytesIO(base64.b64decode(content, validate=True)))


def press(path, keys, stored=None, intervals=()):
    """Press keys on a page, and return what it shows; see press.mjs."""
    node = shutil.which("node")
    assert node, "install Node.js"
    done = subprocess.run(
        [node, PRESS, path],
        input=json.dumps({"keys": keys, "stored": stored, "intervals": intervals}),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def saved(uri):
    head, _, content = uri.partition(",")
    return unquote(content)


def test_trials_are_balanced_over_pairs_and_orders():
    wavs = {f"{number}": dict.fromkeys(SYSTEMS) for number in range(50)}
    trials = choose_trials(wavs, SYSTEMS, 25, seed=3)
    assert trials == choose_trials(wavs, SYSTEMS, 25, seed=3)
    assert trials != choose_trials(wavs, SYSTEMS, 25, seed=4)
    orders = Counter((trial.a, trial.b) for trial in trials)
    assert sorted(orders.values()) == [4, 4, 4, 4, 4, 5] and len(trials) == 25
    pairs = [frozenset((trial.a, trial.b)) for trial in trials]
    assert len({*zip(pairs, (trial.utt for trial in trials))}) == 25
    assert len({*pairs[:8]}) == 3  # shuffled


def test_a_pair_has_a_sentence_once(evaluation):
    trials = choose_trials(read_evaluation(evaluation).wavs, SYSTEMS, 999, seed=0)
    assert len(trials) == 3 * len(UTTS)
    assert len({(one.utt, frozenset((one.a, one.b))) for one in trials}) == len(trials)


def test_page_is_self_contained_and_names_no_system(evaluation):
    path = report.write_blind(evaluation)
    page, (key, clips) = Page(path.read_text()), key_of(path)
    for _, attributes in page.tags:
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    (policy,) = [one["content"] for one in page.all("meta") if "http-equiv" in one]
    assert "default-src 'none'" in policy and "url(" not in path.read_text()
    assert key["systems"] == SYSTEMS and len(key["trials"]) == 24
    for name in (*SYSTEMS, *TEXTS.values()):
        assert name not in path.read_text()
    for button in page.all("button"):
        assert button["id"] == "again" or button["aria-keyshortcuts"]
    used = {trial["utt"] for trial in key["trials"]}
    assert len(clips) == sum(len({*SYSTEMS, "reference"}) for _ in used)


def test_clips_are_those_of_the_trial_and_equally_loud(evaluation):
    key, clips = key_of(report.write_blind(evaluation, trials=3))
    for trial in key["trials"]:
        found = [decoded(clips[place]) for place in trial["clips"].values()]
        loudness = [measure_loudness(*clip) for clip in found]
        assert loudness == pytest.approx([-23] * 3, abs=0.3)
        for name, (wave, _) in zip((trial["a"], trial["b"], "reference"), found):
            wav = evaluation / "wav" / name / f"{trial['utt']}.wav"
            original, _ = soundfile.read(wav)
            assert len(wave) == pytest.approx(len(original), abs=1200)
            spectra = [
                np.abs(np.fft.rfft(one, 16000))[:2000] for one in (wave, original)
            ]
            assert np.corrcoef(*spectra)[0, 1] > 0.99


def test_loudness_of_a_sine_is_that_of_the_recommendation():
    """A sine of 997 Hz with full scale in one channel has −3.01 LUFS (BS.1770-4)."""
    wave = np.sin(2 * np.pi * 997 * np.arange(48000 * 2) / 48000)
    assert measure_loudness(wave, 48000) == pytest.approx(-3.01, abs=0.05)
    assert measure_loudness(wave[:9600], 48000) == pytest.approx(-3.01, abs=0.3)


def test_a_clip_with_high_peaks_lowers_those_of_its_sentence():
    click = np.zeros(RATE)
    click[::2000] = 0.5
    speech, quiet = equalize([(speechlike(1), RATE), (click, RATE)])
    loudness = [measure_loudness(wave, RATE) for wave in (speech, quiet)]
    assert loudness[0] == pytest.approx(loudness[1], abs=0.01) and loudness[0] < -23.5
    assert np.abs(quiet).max() == pytest.approx(0.95)
    silence, speech = equalize([(np.zeros(RATE), RATE), (speechlike(1), RATE)])
    assert not silence.any() and np.abs(speech).max() > 0


def test_keys_play_answer_and_go_back(evaluation):
    path = report.write_blind(evaluation, trials=6)
    key, clips = key_of(path)
    first, second = key["trials"][:2]
    shown = press(path, [])
    assert shown["text"] == first["text"] == TEXTS[first["utt"]]
    assert shown["count"] == "1 of 6" and shown["question"].startswith(
        "Which is closer"
    )
    assert set(shown["disabled"]) == {"back", "answer-a", "answer-b", "answer-none"}
    assert shown["hidden"] == {"trial": False, "result": True, "x": False}
    shown = press(path, ["1", "a", "3", "ArrowLeft"])  # B has not been played
    assert shown["played"] == [clips[first["clips"][name]] for name in "ax"]
    assert shown["value"] == 0
    shown = press(path, ["1", "2", "b"])
    assert shown["played"] == [clips[first["clips"][name]] for name in "ab"]
    assert shown["value"] == 1 and shown["text"] == second["text"]
    shown = press(path, ["1", "2", "b", "ArrowDown"])  # of the first trial's clips
    assert shown["value"] == 1
    shown = press(path, ["1", "2", "b", "Backspace"])
    assert shown["value"] == 0 and shown["text"] == first["text"]
    assert press(path, ["1", "2", "b", "Backspace", "0"])["value"] == 1


def answers_of(path, choose):
    """Answer all trials of a page, and return what it shows."""
    keys = [("1", "2", choose(trial)) for trial in key_of(path)[0]["trials"]]
    return press(path, [key for trial in keys for key in trial])


def prefer(*names):
    """Return a choice of the system that comes first in names."""
    arrows = {"a": "ArrowLeft", "b": "ArrowRight"}
    return lambda trial: arrows[min("ab", key=lambda side: names.index(trial[side]))]


def test_the_result_counts_preferences_of_each_pair(evaluation):
    path = report.write_blind(evaluation)
    shown = answers_of(path, prefer("student_a", "teacher", "student_b"))
    assert shown["hidden"]["trial"] and not shown["hidden"]["result"]
    low, high = (f"{100 * bound:.0f}" for bound in wilson(8, 8))
    zero = [f"{100 * bound:.0f}" for bound in wilson(0, 8)]
    assert shown["rows"] == [
        ["teacher", "student_a", "8", "0", "8", "0", f"0 [{zero[0]}, {zero[1]}]"],
        ["teacher", "student_b", "8", "8", "0", "0", f"100 [{low}, {high}]"],
        ["student_a", "student_b", "8", "8", "0", "0", f"100 [{low}, {high}]"],
    ]
    shown = answers_of(path, lambda trial: "0")
    assert shown["rows"][0] == ["teacher", "student_a", "8", "0", "0", "8", "–"]


def wilson(count, total):
    return binomtest(count, total).proportion_ci(method="wilson")


def test_wilson_of_the_page_is_scipys(evaluation):
    path = report.write_blind(evaluation, trials=3)
    cases = [(count, total) for total in (1, 7, 24, 300) for count in range(total + 1)]
    found = press(path, [], intervals=cases)["intervals"]
    expected = [wilson(*case) for case in cases]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_answers_are_saved_as_json_and_csv(evaluation):
    path = report.write_blind(evaluation, trials=3)
    shown = answers_of(path, prefer(*SYSTEMS))
    content = json.loads(saved(shown["json"]))
    assert content["evaluation"] == identify(read_evaluation(evaluation))
    assert content["systems"] == SYSTEMS
    trials = key_of(path)[0]["trials"]
    for line, trial in zip(content["answers"], trials, strict=True):
        assert [line[name] for name in ("utt", "a", "b")] == [
            trial[name] for name in ("utt", "a", "b")
        ]
        assert line[line["answer"]] == min(trial["a"], trial["b"], key=SYSTEMS.index)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line["time"])
    assert re.fullmatch(r"blind_\d{14}\.json", shown["download"])
    lines = saved(shown["csv"]).splitlines()
    assert lines[0] == "utt,a,b,answer,time"
    assert lines[1:] == [",".join(line.values()) for line in content["answers"]]


def test_answers_survive_a_reload_where_there_is_storage(evaluation):
    path = report.write_blind(evaluation, trials=6)
    storage = press(path, ["1", "2", "a", "1", "2", "b"])["storage"]
    assert press(path, [], storage)["value"] == 2
    assert press(path, ["1", "2", "a"], False)["value"] == 1
    other = report.write_blind(evaluation, trials=6, seed=1)
    assert press(other, [], storage)["value"] == 0


def test_without_recordings_the_better_one_is_asked_for(evaluation):
    shutil.rmtree(evaluation / "wav/reference")
    shown = press(report.write_blind(evaluation), ["3"])
    assert shown["question"] == "Which sounds better?" and shown["hidden"]["x"]
    assert shown["played"] == []


def test_named_systems_are_compared_the_recording_too(evaluation):
    key, _ = key_of(report.write_blind(evaluation, ["student_b", "reference"]))
    assert key["systems"] == ["reference", "student_b"] and len(key["trials"]) == len(
        UTTS
    )
    assert all(trial["clips"]["x"] is None for trial in key["trials"])


def refused(capsys, *arguments):
    assert cli.main([*map(str, arguments)]) == 2
    out, error = capsys.readouterr()
    assert error.count("\n") == 1 and out == ""
    return error


def test_what_cannot_be_compared_is_refused(evaluation, capsys):
    for options, message in (
        (["--blind", "teacher"], "give two or more systems with audio"),
        (["--blind", "teacher", "student_c"], "--blind: no 'student_c'; near: student"),
        (["--blind", "--trials", "2"], "--trials: 2; 3 pairs of systems require 3"),
    ):
        assert message in refused(capsys, "report", evaluation, *options)
    for name in ("student_a", "student_b"):
        shutil.rmtree(evaluation / "wav" / name)
    assert "has reference, teacher" in refused(capsys, "report", evaluation, "--blind")
    assert not (evaluation / "blind.html").exists()


# Several persons


@pytest.fixture
def files(evaluation, tmp_path):
    """The files of three persons, two of whom agree."""
    path = report.write_blind(evaluation)
    orders = (("student_a", "teacher", "student_b"),) * 2 + (
        ("student_b", "teacher", "student_a"),
    )
    found = []
    for number, order in enumerate(orders):
        found.append(tmp_path / f"{number}.json")
        found[-1].write_text(saved(answers_of(path, prefer(*order))["json"]))
    return found


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_summary_of_three_persons(files, capsys):
    assert cli.main(["summarize-blind", *map(str, files)]) == 0
    lines = capsys.readouterr().out.splitlines()
    low, high = (f"{100 * bound:.0f}" for bound in wilson(16, 24))
    rows = [cells(line) for line in lines[2:5]]
    assert [row[:6] for row in rows] == [
        [*pair, "24", *counts, "0"]
        for pair, counts in zip(
            combinations(SYSTEMS, 2), (("8", "16"), ("16", "8"), ("16", "8"))
        )
    ]
    assert rows[1][6] == f"67 [{low}, {high}]"
    assert [row[7] for row in rows] == ["33"] * 3  # one of three pairs of persons
    assert "Answers of 3 persons" in lines[6]


def test_one_person_agrees_with_nobody(files):
    lines = summarize_blind(files[:1]).splitlines()
    assert cells(lines[2])[1:] == ["student_a", "8", "0", "8", "0", "0 [0, 32]", "–"]


def changed(path, **changes):
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"evaluation": "other"}, "1.json: answers in another evaluation than"),
        ({"evaluation": 7}, "1.json: no answers of blind.html (evaluation: expected"),
        ({"answers": []}, "1.json: has no answers; leave it out"),
        ({"systems": ["teacher"]}, "1.json: no answers of blind.html (answers[0]."),
        (
            {"answers": [{"utt": "u", "a": "student_b", "b": "student_b"}]},
            "answers[0].b: no 's",
        ),
        (
            {
                "answers": [
                    {"utt": "u", "a": "student_b", "b": "student_a", "answer": "c"}
                ]
            },
            "answers[0].answer: no 'c'",
        ),
        ({"answers": [{}]}, "1.json: no answers of blind.html ('utt')"),
    ],
)
def test_files_that_do_not_fit(files, capsys, changes, message):
    changed(files[1], **changes)
    assert message in refused(capsys, "summarize-blind", *files)


def test_other_files_are_refused(files, capsys, tmp_path):
    copied = shutil.copy(files[0], tmp_path / "copy.json")
    assert "a copy of" in refused(capsys, "summarize-blind", *files, copied)
    error = refused(capsys, "summarize-blind", tmp_path / "evaluation/table.json")
    assert "no answers of blind.html" in error
    with pytest.raises(ConfigError, match="none.json: cannot be read"):
        summarize_blind([tmp_path / "none.json"])


@pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed")
def test_in_a_browser(evaluation, tmp_path):
    path = report.write_blind(evaluation, trials=3)
    with Chromium(tmp_path / "profile") as browser:
        browser.open(path)
        browser.wait("document.readyState === 'complete' && typeof key !== 'undefined'")
        for number in range(3):
            for letter in "12a":
                browser.evaluate(
                    "document.dispatchEvent(new KeyboardEvent('keydown', "
                    f"{{key: '{letter}'}}))"
                )
                if letter != "a":
                    browser.wait("audio.readyState >= 2 && audio.duration > 0.5")
            for width in (400, 1280):
                browser.resize(width)
                assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.evaluate("byId('rows').rows.length") == 3
        browser.open(path)
        browser.wait("typeof key !== 'undefined' && answers.length === 3")
