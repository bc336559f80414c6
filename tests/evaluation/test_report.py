"""The page and the Markdown of an evaluation."""

import base64
import csv
import io
import itertools
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import soundfile
import yaml
from PIL import Image

from espnet_distill.cli import main as cli
from espnet_distill.errors import ConfigError
from espnet_distill.evaluation import report, table
from espnet_distill.evaluation.html import examples
from espnet_distill.evaluation.html.axes import Box
from espnet_distill.evaluation.html.config_diff import changes
from espnet_distill.evaluation.html.examples import choose
from espnet_distill.evaluation.html.labels import place_labels
from espnet_distill.evaluation.html.results import read_evaluation
from espnet_distill.evaluation.html.scatter import tradeoffs
from espnet_distill.evaluation.metrics.bootstrap import Difference
from espnet_distill.evaluation.metrics.wer import Errors
from espnet_distill.evaluation.score import Score
from espnet_distill.utils.files import write_csv

from .conftest import RATE, speechlike

HOSTILE = '</title><script>alert("1")</script> & <b>`|x`</b> "\''
NAME = 'stu<i>dent & "co"'
TEXTS = {"utt_a": HOSTILE, "utt_b": "a short sentence", "utt_c": "words", "utt_d": "d"}
WRONG = {"utt_a": 0, "utt_b": 4, "utt_c": 1, "utt_d": 2}  # of ten words
LOG = """\
[vm] 2026-11-25 02:52:00,201 (trainer:810) INFO: 1epoch:train:1-5batch: iter_time=0.014\
, l1_loss=0.6, loss=3.991, grad_norm=7.6, sparsity=0.000e+00sparsity_tts.w_1=0.000e+00
[vm] 2026-11-25 02:52:06,158 (trainer:810) INFO: 1epoch:train:6-10batch: iter_time=0.01\
, l1_loss=0.5distill_mel=0.405, loss=3.0, sparsity=0.125, sparsity_tts.w_1=0.25
[vm] 2026-11-25 02:53:41,029 (trainer:392) INFO: 1epoch results: [train] l1_loss=0.55, \
loss=3.5, time=1 minute and 45.08 seconds, total_count=10, [valid] l1_loss=0.408, \
loss=1.9, time=1.2 seconds, total_count=2
"""
SECOND = """\
[vm] 2026-11-25 02:54:00,201 (trainer:810) INFO: 2epoch:train:1-5batch: loss=2.5, \
sparsity=0.500, sparsity_tts.w_1=0.75
[vm] 2026-11-25 02:55:00,029 (trainer:392) INFO: 2epoch results: [train] loss=2.4, \
total_count=20, [valid] l1_loss=0.3, loss=1.5, total_count=4
"""


@pytest.fixture
def evaluation(tmp_path):
    """What `evaluate` leaves: a recording, a teacher, and a student of a bad name."""
    out = tmp_path / "evaluation"
    configs = {
        "teacher": {"tts": "fastspeech2", "tts_conf": {"adim": 384}, "optim": "adam"},
        NAME: {"tts": "fastspeech2", "tts_conf": {"adim": 96}, "optim": "adam"},
    }
    rows, scores = [table.Row(name="reference", wer=1.0, dnsmos=3.5, cer=0.4)], []
    for size, (name, config) in zip((4_000_000, 250_000), configs.items()):
        experiment = tmp_path / "exp" / name
        experiment.mkdir(parents=True)
        (experiment / "train.log").write_text(LOG + SECOND)
        (experiment / "config.yaml").write_text(yaml.safe_dump(config))
        (experiment / "run.sh").write_text(f"./tts.sh --tag '{HOSTILE}'\n")
        rows.append(
            table.Row(
                name=name,
                params=size,
                size_mb=4 * size / 1e6,
                rtf_text2mel=size / 1e8,
                rtf_text2wav=size / 5e7,
                wer=7.5,
                cer=3.0,
                dnsmos=3.1,
                model=str(experiment / "valid.loss.ave.pth"),
                config=str(experiment / "config.yaml"),
            )
        )
    rows[-1] = table.Row(
        **vars(rows[-1])
        | {
            "wer_difference": Difference(1.25, -0.5, 3.0),
            "cer_difference": Difference(0.75, 0.25, 1.0),
            "dnsmos_difference": Difference(-0.1, -0.2, -0.05),
        }
    )
    (tmp_path / "exp" / NAME / "distill.yaml").write_text("teacher_dump: exp/dump\n")
    for seed, (utt, text) in enumerate(TEXTS.items()):
        for shift, row in enumerate(rows):
            wav = out / "wav" / row.name / f"{utt}.wav"
            wav.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(wav, speechlike(seed + shift, 0.5 + 0.2 * shift), RATE)
            words = Errors(WRONG[utt] if row.name == NAME else 0, 10)
            scores.append(Score(utt, row.name, words, 3.0, None, text))
    environment = {
        **table.environment("data/eval", 4, "tiny.en", "Griffin-Lim"),
        "command": "espnet-distill evaluate a b --data data/eval",
    }
    table.write(out, rows, environment, scores)
    (out / "text").write_text("".join(f"{utt} {text}\n" for utt, text in TEXTS.items()))
    return out


class Page(HTMLParser):
    """Tags with their attributes, in order, and the text in and outside of tables."""

    VOID = ("meta", "link", "img", "wbr")

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.cells, self.open = [], "", [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data
            if {"td", "th"} & set(self.open):
                self.cells[-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def written(folder, **options):
    """Let the report be written, and return its page."""
    html, markdown = report.write(folder, **options)
    assert [html.name, markdown.name] == ["report.html", "RESULTS.md"]
    return Page(html.read_text())


def content(uri, kind):
    head, _, data = uri.partition(",")
    assert head == f"data:{kind};base64"
    return io.BytesIO(base64.b64decode(data, validate=True))


def test_page_has_no_external_resources(evaluation):
    page = written(evaluation)
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "poster", "data"):
            if name in attributes:
                assert attributes[name].startswith(("data:", "#")), (tag, attributes)
    assert "url(" not in (evaluation / "report.html").read_text()
    (policy,) = [one["content"] for one in page.all("meta") if "http-equiv" in one]
    assert "default-src 'none'" in policy and len(page.all("script")) == 1


def test_page_embeds_audio_and_spectrograms(evaluation):
    page = written(evaluation)
    players, pictures = page.all("audio"), page.all("img")
    assert len(players) == len(pictures) == 3 * len(TEXTS)
    lengths = []
    for player, picture in zip(players, pictures):
        wave, rate = soundfile.read(content(player["src"], "audio/mpeg"))
        assert rate == RATE and abs(wave).max() > 0.2
        lengths.append(len(wave) / rate)
        image = Image.open(content(picture["src"], "image/png"))
        assert image.height == 80 and image.width == pytest.approx(
            64 * lengths[-1], abs=2
        )
        assert len(image.getcolors()) > 10
        assert player["aria-label"] and picture["alt"]
    assert lengths == pytest.approx([0.5, 0.7, 0.9] * len(TEXTS), abs=0.05)
    curves = [
        one for one in page.all("g") if one.get("class", "").startswith("curve row")
    ]
    assert len(curves) >= 3 * len(TEXTS)


def test_html_in_texts_is_escaped(evaluation):
    page = written(evaluation)
    assert HOSTILE in page.text and NAME in page.text
    assert not page.all("b") or all("x" not in str(one) for one in page.all("b"))
    assert not page.all("i") or len(page.all("i")) == len(page.all("audio"))
    markdown = (evaluation / "RESULTS.md").read_text()
    assert "<script" not in markdown.split("## Figures")[0]
    assert "<script" not in markdown.split("## Trainings")[1]


def test_the_table_is_that_of_the_markdown(evaluation):
    page = written(evaluation)
    lines = (evaluation / "table.md").read_text().splitlines()
    in_markdown = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (lines[0], *lines[2:5], lines[6], *lines[8:11])
    ]
    assert in_markdown[4] == ["", "CER (%)", "ΔCER [95 %]"]
    wanted = [cell or "Row" for line in in_markdown for cell in line]
    assert page.cells[: len(wanted)] == wanted
    assert "+1.2 [−0.5, +3.0]" in wanted and "+0.8 [+0.2, +1.0]" in wanted
    headers = page.all("th")
    assert all(header.get("scope") in ("col", "row") for header in headers)
    results = (evaluation / "RESULTS.md").read_text()
    assert (evaluation / "table.md").read_text() in results
    assert (
        "- espnet version: `" in results and "<details><summary>Evaluation" in results
    )


PHONES = """\
system,phone,position,count,correct,substituted,substitutes,deleted,inserted
reference,θ,initial,6,5,1,f 1,0,0
teacher,θ,initial,6,2,3,"f 2, t 1",1,0
teacher,n,final,9,9,0,,0,1
"""


def test_the_phones_that_a_system_loses(evaluation):
    assert "Phones" not in written(evaluation).text
    (evaluation / "phones.csv").write_text(PHONES, encoding="utf-8")
    page = written(evaluation)
    lost = ["teacher", "θ", "initial", "6", "4", "1", "f 2, t 1, deleted 1"]
    at = page.cells.index("θ") - 1
    assert page.cells[at : at + 7] == lost and page.cells.count("θ") == 1
    assert "#phones" in [link["href"] for link in page.all("a")]
    lines = (evaluation / "RESULTS.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert rows.count(lost) == 1
    assert lines[rows.index(lost) - 3] == ""


def test_a_difference_whose_interval_has_zero_in_it_is_not_bold(evaluation):
    page = written(evaluation)
    classes = [div.get("class", "") for div in page.all("div")]
    assert classes.count("with-interval undecided") == 1  # WER
    assert classes.count("with-interval") == 1  # DNSMOS
    (style,) = re.findall(r"[.]undecided dd {([^}]*)}", html_of(evaluation))
    assert style.strip() == "font-weight: 400;"


def test_the_title_names_data_and_language(evaluation):
    (title,) = re.findall(r"<title>(.*?)</title>", html_of(evaluation))[:1]
    assert title.endswith(" – data/eval, en")


def html_of(evaluation):
    html, _ = report.write(evaluation)
    return html.read_text()


def test_quality_against_speed_and_size(evaluation):
    charts = tradeoffs(read_evaluation(evaluation).systems)
    titles = [(chart.y_title[:3], chart.x_title[:4]) for chart in charts]
    assert titles == [*itertools.product(("WER", "DNS"), ("Real", "Para"))]
    for chart in charts:
        teacher, student = chart.points
        assert (teacher.name, student.name) == ("teacher", NAME)
        assert chart.box.left < student.x < teacher.x < chart.box.width
        assert student.low > student.high and teacher.low is None  # y goes down
    # the teacher at 7.5, the student's interval from 0.5 below it to 3.0 above it
    teacher, student = charts[0].points
    (recording,) = charts[0].levels
    unit = (recording[0] - teacher.y) / 6.5
    assert student.low == pytest.approx(teacher.y + 0.5 * unit, abs=0.2)
    assert student.high == pytest.approx(teacher.y - 3 * unit, abs=0.2)


def test_quality_where_words_are_not_spaced(evaluation):
    systems = read_evaluation(evaluation).systems
    for system in systems:
        system.row = replace(system.row, wer=None)
    titles = [chart.y_title[:3] for chart in tradeoffs(systems)]
    assert titles == ["CER", "CER", "DNS", "DNS"]


def test_labels_of_dense_points_do_not_overlap():
    at = [(150 + 6 * i % 29, 100 + 5 * i % 23) for i in range(11)]
    labels = place_labels([f"student_{i}" for i in range(11)], at, Box(400, 300))
    areas = []
    for label in labels:
        width = 6 * len(label.text)
        left = label.x - {"start": 0, "middle": width / 2, "end": width}[label.anchor]
        areas.append((left, label.y - 9, left + width, label.y + 1))
    for one, other in itertools.combinations(areas, 2):
        apart = one[2] <= other[0] or other[2] <= one[0]
        assert apart or one[3] <= other[1] or other[3] <= one[1]


def test_sentences_from_the_best_to_the_worst(evaluation):
    found = read_evaluation(evaluation)
    assert choose(found, 9)[0] == ["utt_a", "utt_c", "utt_d", "utt_b"]
    assert choose(found, 2)[0] == ["utt_a", "utt_b"]
    page = written(evaluation, sentences=2)
    assert len(page.all("audio")) == 2 * 3 and "2 of 4 sentences, evenly" in page.text


def without_words(evaluation, column):
    """Leave one column of scores.csv beside the names and the transcripts."""
    path = evaluation / "scores.csv"
    lines = list(csv.DictReader(io.StringIO(path.read_text())))
    kept = {"utt", "row", "hypothesis"}
    for line in lines:
        moved = {f"character_{column}": line["errors"], "characters": line["words"]}
        line |= {key: "" for key in line.keys() - kept}
        line |= moved if column == "errors" else {column: "3.0"}
    write_csv(path, lines[0], (line.values() for line in lines))


def test_sentences_without_words_are_ordered_by_their_characters(evaluation):
    without_words(evaluation, "errors")
    utts, chosen = choose(read_evaluation(evaluation), 9)
    assert utts == ["utt_a", "utt_c", "utt_d", "utt_b"] and "error rate" in chosen
    page = written(evaluation)
    assert "4/10 characters wrong" in page.text and "transcript: “a s" in page.text
    assert ": 4 of 10, “a short" in (evaluation / "RESULTS.md").read_text()


def test_sentences_without_errors_and_dnsmos_are_ordered_by_length(evaluation):
    without_words(evaluation, "mcd")
    assert choose(read_evaluation(evaluation), 9)[1] == examples.BY_LENGTH


def test_fewer_sentences_than_would_be_too_large(evaluation, monkeypatch):
    size = len((written(evaluation), evaluation / "report.html")[1].read_text())
    monkeypatch.setattr(examples, "MOST_SOUND", size // 3)
    page = written(evaluation)
    assert 3 <= len(page.all("audio")) < 3 * len(TEXTS)
    assert "4 were requested" in page.text


def test_training_log_is_parsed(evaluation):
    experiment = evaluation.parent / "exp" / NAME
    (student,) = read_evaluation(evaluation).students
    training = student.training
    assert training.train["loss"] == [(5, 3.991), (10, 3.0), (15, 2.5)]
    assert training.valid["loss"] == [(10, 1.9), (20, 1.5)]
    assert training.train["distill_mel"] == [(10, 0.405)]
    assert training.sparsities()["sparsity"] == [(5, 0.0), (10, 0.125), (15, 0.5)]
    assert training.sparsities()["sparsity_tts.w_1"] == [
        (5, 0.0),
        (10, 0.25),
        (15, 0.75),
    ]
    page = written(evaluation)
    assert "2 epochs, 20 batches" in page.text
    drawn = [one["aria-label"] for one in page.all("svg") if "aria-label" in one]
    assert any("validation ends at 1.500" in label for label in drawn)
    assert any("sparsity 50.0 %" in label for label in drawn)

    # killed in its second epoch, and resumed: the launcher keeps the older log
    killed = SECOND.replace("loss=2.5", "loss=9.9").splitlines()[0] + "\n"
    (experiment / "train.1.log").write_text(LOG + killed)
    (experiment / "train.log").write_text(SECOND)
    (student,) = read_evaluation(evaluation).students
    assert vars(student.training) == vars(training)


def test_a_compacted_student_shows_the_training_it_comes_from(evaluation):
    trained = evaluation.parent / "exp" / NAME
    config = yaml.safe_load((trained / "config.yaml").read_text())
    trained.rename(trained.with_name("whole"))
    trained.mkdir()
    config["output_dir"] = "exp/whole"
    (trained / "config.yaml").write_text(yaml.safe_dump(config))
    (student,) = read_evaluation(evaluation).students
    assert student.training.folder.name == "whole" and student.training.batches == 20
    assert "of the model before compaction; log in" in written(evaluation).text


def test_keys_that_differ():
    old = {"tts": "a", "tts_conf": {"x": 1, "same": [1]}, "seed": 0, "cleaner": None}
    new = {"tts": "a", "tts_conf": {"x": 2, "same": [1], "y": "z"}, "seed": 1}
    found = changes(old, new, {"conf": {"temperature": 1.0}})
    assert {
        title: [(one.key, one.old, one.new) for one in group]
        for title, group in found.items()
    } == {
        "Model": [("tts_conf.x", "1", "2"), ("tts_conf.y", None, "z")],
        "Distillation and pruning": [("conf.temperature", None, "1.0")],
        "Training": [("seed", "0", "1")],
    }


def test_page_names_missing_files(evaluation):
    shutil.rmtree(evaluation / "wav")
    shutil.rmtree(evaluation.parent / "exp")
    (evaluation / "scores.csv").unlink()
    (evaluation / "text").unlink()
    found = json.loads((evaluation / "table.json").read_text())
    for row in found["rows"]:
        row.update(
            wer=None,
            cer=None,
            cer_difference=None,
            dnsmos=None,
            wer_difference=None,
            dnsmos_difference=None,
        )
    del found["environment"]["command"]
    (evaluation / "table.json").write_text(json.dumps(found))
    page = written(evaluation)
    for message in (
        "No audio: ",
        "No plots: ",
        "scores.csv is missing",
        f"No training log of teacher, {NAME}",
        f"Configuration of the teacher or of {NAME} not found",
        "command was not recorded",
    ):
        assert message in page.text
    assert not page.all("audio") and "WER (%)" not in page.cells


def test_page_with_some_files_missing(evaluation):
    (evaluation / "text").unlink()
    (evaluation / "scores.csv").unlink()
    (evaluation / "wav" / "teacher" / "utt_b.wav").unlink()
    soundfile.write(evaluation / "wav" / NAME / "utt_b.wav", [0.0] * 50, 96000)
    (evaluation / "wav" / "reference" / "utt_b.wav").unlink()
    page = written(evaluation)
    assert len(page.all("audio")) == 3 * len(TEXTS) - 2
    assert "utt_b – text not found" in page.text
    assert "no voiced frames" in page.text


def test_a_teacher_alone(evaluation):
    found = json.loads((evaluation / "table.json").read_text())
    del found["rows"][2]
    (evaluation / "table.json").write_text(json.dumps(found))
    page = written(evaluation)
    assert "No student to compare with the teacher" in page.text
    assert len(page.all("audio")) == 2 * len(TEXTS)


@pytest.mark.parametrize(
    "content", [None, "", "{", "[]", '{"rows": [{"name": "a", "no": 1}]}']
)
def test_no_table(evaluation, content, capsys):
    path = evaluation / "table.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert cli.main(["report", str(evaluation)]) == 2
    error = capsys.readouterr().err
    assert "table.json: no table of `espnet-distill evaluate`" in error
    assert error.count("\n") == 1 and not (evaluation / "report.html").exists()


def test_a_broken_file_leaves_the_old_page(evaluation):
    written(evaluation)
    before = (evaluation / "report.html").read_text()
    (evaluation / "wav" / NAME / "utt_c.wav").write_bytes(b"no audio")
    with pytest.raises(ConfigError, match="utt_c.wav cannot be read") as error:
        report.write(evaluation)
    assert "\n" not in str(error.value)
    assert (evaluation / "report.html").read_text() == before
    assert not [*evaluation.glob(".*")]


def test_page_without_sentences(evaluation, capsys):
    assert cli.main(["report", str(evaluation), "--num-sentences", "0"]) == 2
    assert "--num-sentences: 0; give 1 or more" in capsys.readouterr().err


PROBE = """<script>
(async () => {
  const found = [];
  for (const audio of document.querySelectorAll("audio")) {
    try { await audio.play(); } catch (error) { console.error(error); }
    found.push([audio.readyState, audio.duration]);
  }
  document.body.dataset.found = JSON.stringify(
    [found, document.documentElement.scrollWidth, innerWidth]);
})();
</script></body>"""


@pytest.mark.slow
def test_in_a_browser(evaluation, tmp_path):
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium on PATH")
    written(evaluation)

    def visit(page):
        command = [chromium, "--headless", "--no-sandbox", "--disable-gpu"]
        command += ["--enable-logging=stderr", "--window-size=400,800", "--dump-dom"]
        command += ["--autoplay-policy=no-user-gesture-required"]
        command += [f"--user-data-dir={tmp_path / 'profile'}"]
        command += ["--virtual-time-budget=60000", page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0
        return done.stdout, [
            line for line in done.stderr.splitlines() if "CONSOLE" in line
        ]

    page = evaluation / "report.html"
    assert visit(page)[1] == []
    # the page's policy lets no script of ours in
    probed = page.with_name("probed.html")
    text = re.sub(r"<meta http-equiv=[^>]*>", "", page.read_text())
    probed.write_text(text.replace("</body>", PROBE))
    dom, messages = visit(probed)
    found = re.search(r'data-found="([^"]*)"', dom)
    players, needed, there = json.loads(found[1])
    assert messages == [] and needed <= there
    assert len(players) == 3 * len(TEXTS)
    assert all(state >= 2 and 0.4 < seconds < 1 for state, seconds in players)
