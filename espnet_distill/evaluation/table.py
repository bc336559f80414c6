"""The table of an evaluation: rows, their surroundings, and the files they go into."""

import csv
import io
import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import mean

from espnet_distill.evaluation.asr import word_error_rate
from espnet_distill.evaluation.quality import Score
from espnet_distill.files import write_text


@dataclass(frozen=True, kw_only=True)
class Row:
    """One system; None where a value makes no sense, as for the reference audio."""

    name: str
    params: int | None = None
    size_mb: float | None = None
    rtf_text2mel: float | None = None
    rtf_text2wav: float | None = None
    wer: float
    dnsmos: float
    mcd: float | None = None
    model: str | None = None
    config: str | None = None


COLUMNS: dict[str, Callable[[Row], str | None]] = {
    "": lambda row: row.name,
    "Parameters": lambda row: _format(row.params, ","),
    "Size (MB)": lambda row: _format(row.size_mb, ".2f"),
    "RTF text → mel": lambda row: _format(row.rtf_text2mel, ".4f"),
    "RTF text → wav": lambda row: _format(row.rtf_text2wav, ".4f"),
    "WER (%)": lambda row: _format(row.wer, ".1f"),
    "DNSMOS": lambda row: _format(row.dnsmos, ".2f"),
    "MCD (dB)": lambda row: _format(row.mcd, ".2f"),
}

CAPTION = """\
{sentences} held-out sentences of `{data}`, {date}; espnet {espnet}, torch {torch}, \
Python {python}.

- Parameters: those of the `tts` module. Size: the checkpoint file, 1 MB = 10⁶ bytes.
- RTF: processing over audio seconds on one thread ({cpu}), from token ids on (no text \
front end), median over a short, a middling and a long sentence, all systems taking \
turns. Vocoder: `{vocoder}`.
- WER: faster-whisper `{asr_model}` (int8, beam 5, temperature 0), both sides through \
Whisper's English normaliser.
- DNSMOS: P.835 overall, 1 to 5; a clip under 9 s is repeated up to that length.
- MCD: against the reference audio after time warping, as ESPnet's `evaluate_mcd.py`.
"""


def row(name: str, scores: list[Score], **costs) -> Row:
    """Sum up the scores of a system; ``costs`` are the row's other fields."""
    own = [score for score in scores if score.row == name]
    distortions = [score.mcd for score in own if score.mcd is not None]
    return Row(
        name=name,
        wer=word_error_rate([score.words for score in own]),
        dnsmos=mean(score.dnsmos for score in own),
        mcd=mean(distortions) if distortions else None,
        **costs,
    )


def environment(
    data: Path, sentences: int, asr_model: str, vocoder: str
) -> dict[str, str | int]:
    """What the figures depend on besides the models."""
    return {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "espnet": version("espnet"),
        "torch": version("torch"),
        "python": platform.python_version(),
        "cpu": _cpu_name(),
        "asr_model": asr_model,
        "vocoder": vocoder,
        "data": str(data),
        "sentences": sentences,
    }


def markdown(rows: list[Row], surroundings: dict) -> str:
    """An aligned Markdown table and the caption that says how it was measured."""
    cells = [list(COLUMNS)]
    cells += [[column(row) or "–" for column in COLUMNS.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [_line(line, widths) for line in (cells[0], rule, *cells[1:])]
    return "\n".join(lines) + "\n\n" + CAPTION.format(**surroundings)


def write(out: Path, rows: list[Row], surroundings: dict, scores: list[Score]) -> None:
    """Write scores.csv, table.json and table.md into a folder that exists."""
    table = {"environment": surroundings, "rows": [asdict(row) for row in rows]}
    write_text(out / "scores.csv", _csv(scores))
    write_text(
        out / "table.json", json.dumps(table, indent=2, ensure_ascii=False) + "\n"
    )
    write_text(out / "table.md", markdown(rows, surroundings))


def _csv(scores: list[Score]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("utt", "row", "errors", "words", "dnsmos", "mcd", "hypothesis"))
    writer.writerows(
        (
            score.utt,
            score.row,
            score.words.errors,
            score.words.words,
            f"{score.dnsmos:.4f}",
            _format(score.mcd, ".4f"),
            score.hypothesis,
        )
        for score in scores
    )
    return text.getvalue()


def _line(cells: list[str], widths: list[int]) -> str:
    figures = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])]
    return f"| {' | '.join([cells[0].ljust(widths[0]), *figures])} |"


def _format(value: float | None, form: str) -> str | None:
    return None if value is None else format(value, form)


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.is_file() else ():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
