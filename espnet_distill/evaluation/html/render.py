"""Write an evaluation as one HTML page, and as Markdown in ESPnet's manner."""

import base64
import hashlib
import html
import re
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from espnet_distill.evaluation import table
from espnet_distill.evaluation.html import curves
from espnet_distill.evaluation.html.config_diff import changes, shortened
from espnet_distill.evaluation.html.examples import choose, read_examples
from espnet_distill.evaluation.html.results import Evaluation, System
from espnet_distill.evaluation.html.scatter import tradeoffs

HERE = Path(__file__).parent


COLOURS = 8  # of students, one after the other and then anew


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
    "speaker_model": "speaker model",
    "vocoder": "vocoder",
    "data": "data",
    "sentences": "sentences",
}


COMPARED = ("l1_loss", "loss")  # over trainings, the first that two of them have


def page(evaluation: Evaluation, number: int) -> str:
    """The HTML page, with so many sentences or as many as leave it light enough."""
    examples, chosen = read_examples(evaluation, number)
    style, script = ((HERE / name).read_text() for name in ("page.css", "page.js"))
    return _template("page.html").render(
        **_contents(evaluation),
        examples=examples,
        chosen=chosen,
        wanted=min(number, len(evaluation.wavs)),
        style=Markup(style),
        script=Markup(script),
        policy=_policy(script),
        tradeoffs=tradeoffs(evaluation.systems),
        compared=_compared(evaluation),
        curves=curves,
        labels=LABELS,
        caption=_caption(evaluation),
        colour=colour,
    )


def results(evaluation: Evaluation, number: int) -> str:
    """The same in Markdown, without what has to be heard or looked at."""
    utts, chosen = choose(evaluation, number)
    return _template("RESULTS.md").render(
        **_contents(evaluation),
        table=table.markdown(
            [one.row for one in evaluation.systems], evaluation.environment
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
        "trained": [one for one in evaluation.systems if one.training],
        "without_log": [
            one.name for one in evaluation.systems if one.place and not one.training
        ],
        "differing": _differing(evaluation),
        "compared_with_teacher": _ratios,
    }


def _differing(evaluation: Evaluation) -> dict[str, dict]:
    """By student, the keys that differ, grouped; none without both configurations."""
    teacher = evaluation.teacher
    return {
        student.name: changes(teacher.config, student.config, student.plugin)
        for student in evaluation.students
        if teacher and teacher.config and student.config
    }


def _ratios(student: System, teacher: System | None) -> list[tuple]:
    """What a student is worth beside its teacher: (figure, interval, meaning)."""
    if teacher is None:
        return []
    one, other = student.row, teacher.row
    told = []
    for name, meaning in (
        ("params", "fewer parameters"),
        ("rtf_text2mel", "faster, text → mel"),
        ("rtf_text2wav", "faster, text → wav"),
    ):
        own, whole = getattr(one, name), getattr(other, name)
        if own and whole:
            told.append((f"{whole / own:.1f} ×", "", meaning))
    if one.wer_difference:
        told.append((*_parts(f"{one.wer_difference:+.1f}"), "points of word error"))
    if one.dnsmos_difference:
        told.append((*_parts(f"{one.dnsmos_difference:+.2f}"), "DNSMOS"))
    return told


def _parts(difference: str) -> tuple[str, str]:
    value, _, interval = difference.partition(" ")
    return value, interval


def _compared(evaluation: Evaluation):
    charts = (curves.validations(evaluation.systems, name) for name in COMPARED)
    return next(filter(None, charts), None)


def _caption(evaluation: Evaluation) -> tuple[str, list[str]]:
    """The caption of the table: its first paragraph and its items."""
    rows = [system.row for system in evaluation.systems]
    paragraph, _, items = table.caption(rows, evaluation.environment).partition("\n\n")
    return paragraph, re.findall(r"^- (.*)$", items, re.MULTILINE)


def colour(place: int | str) -> str:
    """The CSS class of a row, or of a curve that belongs to none."""
    if isinstance(place, str):
        return f"of-{place}"
    return f"row-{place if place < 2 else 2 + (place - 2) % COLOURS}"


def _policy(script: str) -> str:
    """A content security policy: no network, no script but the page's own."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; media-src data:; base-uri 'none'; form-action 'none'"
    )


def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=name.endswith(".html"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"code": _code, "cell": _cell, "shortened": shortened}
    environment.filters["breakable"] = _breakable
    return environment.get_template(name)


def _code(text: str) -> Markup:
    """Escape a text, and show as code what Markdown has between backticks."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def _breakable(name: str) -> Markup:
    """Escape a name that may go over into a new line after each underscore."""
    return escape(name).replace("_", Markup("_<wbr>"))


def _cell(text) -> str:
    """A text in a cell or a line of Markdown, of which it is no part."""
    escaped = html.escape(" ".join(str(text).split()), quote=False)
    return re.sub(r"([\\`*\[\]|])", r"\\\1", escaped)
