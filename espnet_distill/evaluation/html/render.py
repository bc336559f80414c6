"""Render an evaluation as one HTML page, and as Markdown in ESPnet's format."""

import base64
import hashlib
import html
import re
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from espnet_distill.evaluation import phone_table, table
from espnet_distill.evaluation.html import curves
from espnet_distill.evaluation.html.config_diff import changes, shortened
from espnet_distill.evaluation.html.examples import choose, errors_of, read_examples
from espnet_distill.evaluation.html.results import Evaluation, System
from espnet_distill.evaluation.html.scatter import tradeoffs
from espnet_distill.evaluation.metrics.bootstrap import Difference
from espnet_distill.utils.markdown import aligned

HERE = Path(__file__).parent


COLOURS = 8  # of students, reused cyclically


LABELS = {
    "date": "date",
    "python": "python version",
    "espnet": "espnet version",
    "torch": "pytorch version",
    "espnet_distill": "espnet_distill version",
    "git_hash": "Git hash",
    "commit_date": "Commit date",
    "cpu": "CPU",
    "asr_model": "ASR model",
    "second_asr_model": "second ASR model",
    "speaker_model": "speaker model",
    "vocoder": "vocoder",
    "data": "data",
    "sentences": "sentences",
    "language": "language",
    "g2p": "g2p",
}


COMPARED = ("l1_loss", "loss")  # the first that two trainings report is plotted


def page(evaluation: Evaluation, number: int) -> str:
    """Return the HTML page, with at most ``number`` sentences within its size limit."""
    examples, chosen = read_examples(evaluation, number)
    return template("page.html").render(
        **_contents(evaluation),
        examples=examples,
        chosen=chosen,
        requested=min(number, len(evaluation.wavs)),
        **embedded("page"),
        tradeoffs=tradeoffs(evaluation.systems),
        compared=_compared(evaluation),
        curves=curves,
        labels=LABELS,
        caption=_caption(evaluation),
        colour=colour,
    )


def results(evaluation: Evaluation, number: int) -> str:
    """Return the evaluation in Markdown, without audio and plots."""
    utts, chosen = choose(evaluation, number)
    return template("RESULTS.md").render(
        **_contents(evaluation),
        table=table.markdown(
            [one.row for one in evaluation.systems],
            evaluation.environment,
            evaluation.by_speaker,
        ),
        labels=LABELS,
        utts=utts,
        chosen=chosen,
    )


def _contents(evaluation: Evaluation) -> dict:
    rows = [system.row for system in evaluation.systems]
    return {
        "evaluation": evaluation,
        "systems": evaluation.systems,
        "teacher": evaluation.teacher,
        "students": evaluation.students,
        "tables": table.tables(rows),
        "by_speaker": table.table_by_speaker(evaluation.by_speaker),
        "phones": phone_table.largest_excess(evaluation.phones),
        "phone_caption": phone_table.caption(),
        "trained": [one for one in evaluation.systems if one.training],
        "without_log": [
            one.name for one in evaluation.systems if one.place and not one.training
        ],
        "differing": _differing(evaluation),
        "compared_with_teacher": _ratios,
        "errors_of": errors_of,
    }


def _differing(evaluation: Evaluation) -> dict[str, dict]:
    """Return the grouped differing keys by student, if both configurations exist."""
    teacher = evaluation.teacher
    return {
        student.name: changes(teacher.config, student.config, student.plugin)
        for student in evaluation.students
        if teacher and teacher.config and student.config
    }


def _ratios(student: System, teacher: System | None) -> list[tuple]:
    """Compare a student with its teacher: (figure, interval, meaning, class) each.

    The class is ``with-interval``, and ``undecided`` if the interval has zero in it.
    """
    if teacher is None:
        return []
    student_row, teacher_row = student.row, teacher.row
    ratios = []
    for name, meaning in (
        ("params", "fewer parameters"),
        ("rtf_text2mel", "faster, text → mel"),
        ("rtf_text2wav", "faster, text → wav"),
    ):
        student_value = getattr(student_row, name)
        teacher_value = getattr(teacher_row, name)
        if student_value and teacher_value:
            figure = f"{teacher_value / student_value:.1f} ×"
            ratios.append((figure, "", meaning, ""))
    if wer := student_row.wer_difference:
        ratios.append(_difference(wer, "+.1f", "WER, percentage points"))
    elif cer := student_row.cer_difference:
        ratios.append(_difference(cer, "+.1f", "CER, percentage points"))
    if dnsmos := student_row.dnsmos_difference:
        ratios.append(_difference(dnsmos, "+.2f", "DNSMOS"))
    return ratios


def _difference(difference: Difference, form: str, meaning: str) -> tuple:
    value, _, interval = format(difference, form).partition(" ")
    is_decided = difference.low > 0 or difference.high < 0
    return value, interval, meaning, "with-interval" + " undecided" * (not is_decided)


def _compared(evaluation: Evaluation):
    charts = (curves.validations(evaluation.systems, name) for name in COMPARED)
    return next(filter(None, charts), None)


def _caption(evaluation: Evaluation) -> tuple[str, list[str]]:
    """Return the first paragraph and the items of the table's caption."""
    rows = [system.row for system in evaluation.systems]
    paragraph, _, items = table.caption(rows, evaluation.environment).partition("\n\n")
    return paragraph, re.findall(r"^- (.*)$", items, re.MULTILINE)


def colour(place: int | str) -> str:
    """Return the CSS class of a row, or of a curve without a row."""
    if isinstance(place, str):
        return f"of-{place}"
    return f"row-{place if place < 2 else 2 + (place - 2) % COLOURS}"


def embedded(name: str) -> dict[str, str]:
    """Return the style, the script and the content security policy of a page.

    The policy allows no network, and no script but the page's.
    """
    style = "".join((HERE / file).read_text() for file in ("base.css", f"{name}.css"))
    script = (HERE / f"{name}.js").read_text()
    return {
        "style": Markup(style),
        "script": Markup(script),
        "policy": _policy(script),
    }


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; media-src data:; base-uri 'none'; form-action 'none'"
    )


def template(name: str) -> jinja2.Template:
    """Return a template of this folder; those of HTML escape what they are given."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=name.endswith(".html"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"code": _code, "cell": _cell, "shortened": shortened}
    environment.filters["aligned"] = aligned
    environment.filters["breakable"] = _breakable
    return environment.get_template(name)


def _code(text: str) -> Markup:
    """Escape a text and turn backticks into code elements."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def _breakable(name: str) -> Markup:
    """Escape a name and allow line breaks after underscores."""
    return escape(name).replace("_", Markup("_<wbr>"))


def _cell(text) -> str:
    """Escape a text for a cell or a line of Markdown."""
    escaped = html.escape(" ".join(str(text).split()), quote=False)
    return re.sub(r"([\\`*\[\]|])", r"\\\1", escaped)
