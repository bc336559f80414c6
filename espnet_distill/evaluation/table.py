"""Build, write and read the table of an evaluation."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path
from statistics import mean

from espnet_distill.errors import ConfigError, summarize
from espnet_distill.evaluation.metrics.bootstrap import Difference, paired_difference
from espnet_distill.evaluation.metrics.wer import UNSPACED, error_rate
from espnet_distill.evaluation.score import MOS_MODELS, REFERENCE, Score
from espnet_distill.profiling.environment import machine
from espnet_distill.utils.config_values import (
    as_list,
    as_mapping,
    as_number,
    as_text,
    require_values,
)
from espnet_distill.utils.files import read_json, read_text, write_csv, write_text
from espnet_distill.utils.markdown import aligned


@dataclass(frozen=True, kw_only=True)
class Row:
    """Values of one system; None where one does not apply, as costs of recordings."""

    name: str
    params: int | None = None
    size_mb: float | None = None
    rtf_text2mel: float | None = None
    rtf_mel2wav: float | None = None
    rtf_text2wav: float | None = None
    wer: float | None = None
    dnsmos: float | None = None
    mcd: float | None = None
    log_f0_rmse: float | None = None
    voicing_error: float | None = None
    duration_error: float | None = None
    mel_error: float | None = None
    wer_difference: Difference | None = None
    dnsmos_difference: Difference | None = None
    cer: float | None = None
    utmos: float | None = None
    nisqa: float | None = None
    similarity: float | None = None
    cer_difference: Difference | None = None
    utmos_difference: Difference | None = None
    nisqa_difference: Difference | None = None
    similarity_difference: Difference | None = None
    dnsmos_p808: float | None = None
    distillmos: float | None = None
    dnsmos_p808_difference: Difference | None = None
    distillmos_difference: Difference | None = None
    second_wer: float | None = None
    second_cer: float | None = None
    second_wer_difference: Difference | None = None
    second_cer_difference: Difference | None = None
    per: float | None = None
    per_difference: Difference | None = None
    versa: dict[str, float] | None = None
    model: str | None = None
    config: str | None = None
    speaker: str | None = None  # of a row of one speaker, and its sentences
    sentences: int | None = None


COLUMNS: dict[str, Callable[[Row], str | None]] = {
    "": lambda row: row.name,
    "Parameters": lambda row: _format(row.params, ","),
    "Size (MB)": lambda row: _format(row.size_mb, ".2f"),
    "RTF text → mel": lambda row: _format(row.rtf_text2mel, ".4f"),
    "RTF mel → wav": lambda row: _format(row.rtf_mel2wav, ".4f"),
    "RTF text → wav": lambda row: _format(row.rtf_text2wav, ".4f"),
    "WER (%)": lambda row: _format(row.wer, ".1f"),
    "DNSMOS": lambda row: _format(row.dnsmos, ".2f"),
    "MCD (dB)": lambda row: _format(row.mcd, ".2f"),
    "log-F0 RMSE": lambda row: _format(row.log_f0_rmse, ".3f"),
    "V/UV (%)": lambda row: _format(row.voicing_error, ".1f"),
    "Duration (ms)": lambda row: _format(row.duration_error, ".1f"),
    "Mel L1": lambda row: _format(row.mel_error, ".3f"),
    "ΔWER [95 %]": lambda row: _format(row.wer_difference, "+.1f"),
    "ΔDNSMOS [95 %]": lambda row: _format(row.dnsmos_difference, "+.2f"),
}


FURTHER_COLUMNS: dict[str, Callable[[Row], str | None]] = {
    "": lambda row: row.name,
    "CER (%)": lambda row: _format(row.cer, ".1f"),
    "ΔCER [95 %]": lambda row: _format(row.cer_difference, "+.1f"),
    "WER 2 (%)": lambda row: _format(row.second_wer, ".1f"),
    "ΔWER 2 [95 %]": lambda row: _format(row.second_wer_difference, "+.1f"),
    "CER 2 (%)": lambda row: _format(row.second_cer, ".1f"),
    "ΔCER 2 [95 %]": lambda row: _format(row.second_cer_difference, "+.1f"),
    "PER (%)": lambda row: _format(row.per, ".1f"),
    "ΔPER [95 %]": lambda row: _format(row.per_difference, "+.1f"),
    "DNSMOS P.808": lambda row: _format(row.dnsmos_p808, ".2f"),
    "ΔP.808 [95 %]": lambda row: _format(row.dnsmos_p808_difference, "+.2f"),
    "DistillMOS": lambda row: _format(row.distillmos, ".2f"),
    "ΔDistillMOS [95 %]": lambda row: _format(row.distillmos_difference, "+.2f"),
    "UTMOS": lambda row: _format(row.utmos, ".2f"),
    "ΔUTMOS [95 %]": lambda row: _format(row.utmos_difference, "+.2f"),
    "NISQA": lambda row: _format(row.nisqa, ".2f"),
    "ΔNISQA [95 %]": lambda row: _format(row.nisqa_difference, "+.2f"),
    "Speaker": lambda row: _format(row.similarity, ".3f"),
    "ΔSpeaker [95 %]": lambda row: _format(row.similarity_difference, "+.3f"),
}


BY_SPEAKER: dict[str, Callable[[Row], str | None]] = {
    "Speaker": lambda row: row.speaker,
    "": lambda row: row.name,
    "Sentences": lambda row: _format(row.sentences, "d"),
    "WER (%)": COLUMNS["WER (%)"],
    "CER (%)": FURTHER_COLUMNS["CER (%)"],
    "DNSMOS": COLUMNS["DNSMOS"],
    "DNSMOS P.808": FURTHER_COLUMNS["DNSMOS P.808"],
    "DistillMOS": FURTHER_COLUMNS["DistillMOS"],
    "UTMOS": FURTHER_COLUMNS["UTMOS"],
    "NISQA": FURTHER_COLUMNS["NISQA"],
    "MCD (dB)": COLUMNS["MCD (dB)"],
    "log-F0 RMSE": COLUMNS["log-F0 RMSE"],
    "V/UV (%)": COLUMNS["V/UV (%)"],
    "Duration (ms)": COLUMNS["Duration (ms)"],
    "Mel L1": COLUMNS["Mel L1"],
    "Similarity": FURTHER_COLUMNS["Speaker"],
}


LARGEST_ERROR = 50  # %; of recordings, above which a recognizer does not fit
_CER = {"WER (%)": "CER (%)", "ΔWER [95 %]": "ΔCER [95 %]"}


CAPTION = """\
{sentences} held-out sentences of `{data}`{front_end}, {date}; espnet {espnet}, torch {torch}, \
Python {python}.

- Parameters: those of the `tts` module. Size: the checkpoint file, 1 MB = 10⁶ bytes.
- RTF: processing over audio seconds on one thread ({cpu}), from token ids on (no text \
front end), median over a short, a medium and a long sentence, the systems \
interleaved. Vocoder: `{vocoder}`.
- WER, CER (%; spaces {spaces}): of transcripts by {asr_model}; reference \
and transcript normalized by Whisper's {normalizer} normalizer{readings}.
- DNSMOS: P.835 overall, 1 to 5; a clip under 9 s is repeated up to that length.
- MCD, log-F0 RMSE (nats), V/UV (frames voiced on one side only): to the reference \
audio after time warping, as ESPnet's `evaluate_mcd.py` and `evaluate_f0.py`.
"""


READINGS = ", as katakana readings by pyopenjtalk"


FURTHER_CAPTIONS = {  # by the field whose values require them
    "mel_error": """\
- Duration: mean absolute error per token. Mel L1: mean absolute error of the \
normalized mel, given the recording's durations, pitch and energy.
""",
    "second_cer": """\
- WER 2, CER 2: of transcripts by {second_asr_model}.
""",
    "per": """\
- PER: phoneme error rate (%) of hama's recognizer of phonemes.
""",
    "dnsmos_p808": """\
- DNSMOS P.808: overall quality, 1 to 5, by another network of speechmos.
""",
    "distillmos": """\
- DistillMOS: quality, 1 to 5, by distillmos.
""",
    "utmos": """\
- UTMOS: UTMOS22, strong learner, by utmos-pytorch, 1 to 5.
""",
    "nisqa": """\
- NISQA: overall quality of NISQA 2, by torchmetrics, 1 to 5.
""",
    "similarity": """\
- Speaker: cosine of the embeddings, by `{speaker_model}`, of a sentence and its \
recording.
""",
    "versa": """\
- VERSA: results of stage 9 of `tts.sh`, means over the sentences; `wer` and `cer` \
corpus-level, in percent.
""",
}


DIFFERENCE_CAPTION = """\
- Δ: difference to the teacher and its 95 % interval, by paired bootstrap over sentences.
"""


SCORE_COLUMNS: dict[str, Callable[[Score], str | int | None]] = {
    "utt": lambda score: score.utt,
    "row": lambda score: score.row,
    "errors": lambda score: score.words and score.words.errors,
    "words": lambda score: score.words and score.words.total,
    "character_errors": lambda score: score.characters and score.characters.errors,
    "characters": lambda score: score.characters and score.characters.total,
    "dnsmos": lambda score: _format(score.dnsmos, ".4f"),
    "dnsmos_p808": lambda score: _format(score.dnsmos_p808, ".4f"),
    "distillmos": lambda score: _format(score.distillmos, ".4f"),
    "utmos": lambda score: _format(score.utmos, ".4f"),
    "nisqa": lambda score: _format(score.nisqa, ".4f"),
    "similarity": lambda score: _format(score.similarity, ".4f"),
    "mcd": lambda score: _attribute(score.fidelity, "mcd"),
    "log_f0_rmse": lambda score: _attribute(score.fidelity, "log_f0_rmse"),
    "voicing_error": lambda score: _attribute(score.fidelity, "voicing_error"),
    "duration_error": lambda score: _attribute(score.forced, "duration"),
    "mel_error": lambda score: _attribute(score.forced, "mel"),
    "hypothesis": lambda score: score.hypothesis,
    "second_errors": lambda score: score.second_words and score.second_words.errors,
    "second_character_errors": lambda score: (
        score.second_characters and score.second_characters.errors
    ),
    "second_hypothesis": lambda score: score.second_hypothesis,
    "phoneme_errors": lambda score: score.phonemes and score.phonemes.errors,
    "phonemes": lambda score: score.phonemes and score.phonemes.total,
}


ERROR_RATES = {  # the fields of scores
    "wer": "words",
    "cer": "characters",
    "second_wer": "second_words",
    "second_cer": "second_characters",
    "per": "phonemes",
}


MEANS = (*MOS_MODELS, "similarity")


TEXTS = ("name", "model", "config", "speaker")


def row(name: str, scores: list[Score], teacher: str | None = None, **costs) -> Row:
    """Aggregate the scores of a system into a row.

    Args:
        name: The system's row.
        scores: Scores of all systems.
        teacher: The row to compute differences to; None for no differences.
        costs: Further fields of the row.
    """
    system_scores = [score for score in scores if score.row == name]
    teacher_scores = [score for score in scores if score.row == teacher]
    fidelity = [score.fidelity for score in system_scores if score.fidelity]
    forced = [score.forced for score in system_scores if score.forced]
    return Row(
        name=name,
        **{
            rate: _rate(getattr(score, field) for score in system_scores)
            for rate, field in ERROR_RATES.items()
        },
        **{
            metric: _mean(getattr(score, metric) for score in system_scores)
            for metric in MEANS
        },
        mcd=_mean(f.mcd for f in fidelity),
        log_f0_rmse=_mean(f.log_f0_rmse for f in fidelity),
        voicing_error=_mean(f.voicing_error for f in fidelity),
        duration_error=_mean(errors.duration for errors in forced),
        mel_error=_mean(errors.mel for errors in forced),
        **(_differences(system_scores, teacher_scores) if teacher_scores else {}),
        **costs,
    )


def rows_by_speaker(scores: list[Score], speakers: dict[str, str]) -> list[Row]:
    """Aggregate the scores of each speaker's sentences into a row of each system.

    Args:
        scores: Scores of all systems.
        speakers: Utterance → speaker.
    """
    names = dict.fromkeys(score.row for score in scores)
    rows = []
    for speaker in sorted(set(speakers.values())):
        own = [score for score in scores if speakers[score.utt] == speaker]
        sentences = len({score.utt for score in own})
        rows += [
            replace(row(name, own), speaker=speaker, sentences=sentences)
            for name in names
        ]
    return rows


def _differences(
    student: list[Score], teacher: list[Score]
) -> dict[str, Difference | None]:
    differences = {
        name: _rate_difference(*_values(field, student, teacher))
        for name, field in ERROR_RATES.items()
    }
    for name in MEANS:
        differences[name] = _mean_difference(*_values(name, student, teacher))
    return {f"{name}_difference": value for name, value in differences.items()}


def _values(name: str, *systems: list[Score]) -> tuple[list, ...]:
    """Return a field of the scores of each system, by sentence."""
    return tuple([getattr(score, name) for score in scores] for scores in systems)


def _rate_difference(student: list, teacher: list) -> Difference | None:
    """Return the difference of two rates; None of one sentence, without an interval."""
    if None in student or None in teacher or len(student) < 2:
        return None
    student_errors = [100 * count.errors for count in student]
    teacher_errors = [100 * count.errors for count in teacher]
    return paired_difference(
        student_errors, teacher_errors, [count.total for count in student]
    )


def _mean_difference(student: list, teacher: list) -> Difference | None:
    """Return the difference over the sentences for which both values are finite.

    None of fewer than two such sentences, which have no interval.
    """
    if None in student or None in teacher:
        return None
    pairs = [pair for pair in zip(student, teacher) if all(map(isfinite, pair))]
    return paired_difference(*zip(*pairs)) if len(pairs) > 1 else None


def _rate(counts) -> float | None:
    counts = [count for count in counts if count]
    return error_rate(counts) if counts else None


def _mean(values) -> float | None:
    """Return the mean of the finite values; None without any."""
    values = [value for value in values if value is not None and isfinite(value)]
    return mean(values) if values else None


def environment(
    data: Path,
    sentences: int,
    asr_model: str,
    vocoder: str,
    language: str | None = "en",
    g2p: str | None = None,
) -> dict[str, str | int]:
    """Return the machine, packages, models of the metrics and data of an evaluation."""
    return {
        **machine(),
        "language": language,
        "g2p": g2p,
        "normalizer": "English" if language == "en" else "basic",
        "readings": READINGS if language == "ja" else "",
        "asr_model": asr_model,
        "vocoder": vocoder,
        "data": str(data),
        "sentences": sentences,
    }


def table_by_speaker(rows: list[Row]) -> dict[str, list[str | None]]:
    """Return the cells by title of the table by speaker; columns without values not."""
    return _cells(rows, BY_SPEAKER)


def tables(rows: list[Row]) -> list[dict[str, list[str | None]]]:
    """Return the cells by title of the main table and of the further one.

    Columns without any value are omitted; so is a further table without columns.
    Without WER, as in languages whose words are not spaced, CER is in the main table.
    """
    columns, further_columns = dict(COLUMNS), dict(FURTHER_COLUMNS)
    if all(row.wer is None for row in rows):
        columns = {_CER.get(title, title): column for title, column in columns.items()}
        for title in _CER.values():
            columns[title] = further_columns.pop(title)
    table = _cells(rows, columns)
    further = _cells(rows, further_columns) | _versa_cells(rows)
    return [table, further] if len(further) > 1 else [table]


def _cells(rows: list[Row], columns: dict) -> dict[str, list[str | None]]:
    cells = {title: [column(row) for row in rows] for title, column in columns.items()}
    return {title: column for title, column in cells.items() if any(column)}


def _versa_cells(rows: list[Row]) -> dict[str, list[str | None]]:
    names = dict.fromkeys(name for row in rows for name in row.versa or {})
    return {
        f"VERSA {name}": [_format((row.versa or {}).get(name), ".3f") for row in rows]
        for name in names
    }


def caption(rows: list[Row], environment: dict) -> str:
    """Return a description of the measurements in Markdown."""
    text = CAPTION
    for name, item in FURTHER_CAPTIONS.items():
        if any(getattr(row, name) not in (None, {}) for row in rows):
            text += item
    if any(isinstance(cell, Difference) for row in rows for cell in vars(row).values()):
        text += DIFFERENCE_CAPTION
    known = {
        "normalizer": "English",
        "readings": "",
        "spaces": "count as characters",
        "front_end": _front_end(environment),
    }
    known |= environment
    if environment.get("language") in UNSPACED:
        known["spaces"] = "are left out"
    if warning := _recognizer_warning(rows):
        text = text.replace("\n\n", f" {warning}\n\n", 1)
    return text.format_map(defaultdict(lambda: "unknown", known))


def _front_end(environment: dict) -> str:
    """Return language and g2p of an evaluation in parentheses; nothing if unknown."""
    names = [key for key in ("language", "g2p") if environment.get(key)]
    known = ", ".join(f"{name} `{environment[name]}`" for name in names)
    return f" ({known})" if known else ""


def _recognizer_warning(rows: list[Row]) -> str | None:
    """Return a sentence if the recordings' own error makes WER or CER meaningless."""
    for name in ("wer", "cer"):
        rates = [getattr(row, name) for row in rows if row.name == REFERENCE]
        if rates and rates[0] is not None and rates[0] > LARGEST_ERROR:
            return (
                f"THE RECORDINGS THEMSELVES HAVE {name.upper()} {rates[0]:.0f} %: the "
                "recognizer does not fit this language or these texts, so its errors "
                "compare no systems."
            )
    return None


def markdown(rows: list[Row], environment: dict, by_speaker: Sequence[Row] = ()) -> str:
    """Return aligned Markdown tables and a caption that describes the measurements.

    Args:
        rows: The systems.
        environment: The machine, models and data.
        by_speaker: The systems by speaker, of data of several.
    """
    cells = tables(rows) + [table_by_speaker(by_speaker)] * bool(by_speaker)
    return "\n\n".join([*map(aligned, cells), caption(rows, environment)])


def write(
    out: Path,
    rows: list[Row],
    environment: dict,
    scores: list[Score],
    by_speaker: Sequence[Row] = (),
) -> None:
    """Write scores.csv, table.json and table.md into an existing folder."""
    table = {"environment": environment, "rows": [asdict(row) for row in rows]}
    if by_speaker:
        table["by_speaker"] = [asdict(row) for row in by_speaker]
    write_csv(
        out / "scores.csv",
        SCORE_COLUMNS,
        ([column(score) for column in SCORE_COLUMNS.values()] for score in scores),
    )
    write_text(
        out / "table.json", json.dumps(table, indent=2, ensure_ascii=False) + "\n"
    )
    write_text(out / "table.md", markdown(rows, environment, by_speaker))


def read(path: Path) -> tuple[list[Row], dict, list[Row]]:
    """Return rows, environment and rows by speaker of a table.json.

    Raises ConfigError unless :func:`write` wrote the file.
    """
    try:
        table = as_mapping(read_json(path), str(path))
        rows = as_list(table["rows"], "rows", of=_require_row)
        environment = as_mapping(table["environment"], "environment")
        by_speaker = as_list(table.get("by_speaker", []), "by_speaker", of=_require_row)
        rows, by_speaker = (
            [Row(**_with_differences(row)) for row in group]
            for group in (rows, by_speaker)
        )
        return rows, environment, by_speaker
    except (ConfigError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path}: no table of `espnet-distill evaluate` ({summarize(error)}); "
            "name its --out"
        ) from error


def _require_row(row, where: str) -> None:
    """Raise ConfigError unless a mapping is a row as :func:`write` writes it."""
    as_text(as_mapping(row, where)["name"], f"{where}.name")
    kinds = {key: as_number for key in row} | dict.fromkeys(TEXTS, as_text)
    kinds["versa"] = _as_numbers
    kinds |= {key: _as_numbers for key in row if key.endswith("_difference")}
    require_values(row, kinds, f"{where}.")


def _as_numbers(value, where: str) -> None:
    numbers = dict.fromkeys(as_mapping(value, where), as_number)
    require_values(value, numbers, f"{where}.", optional=False)


def read_scores(path: Path, *required: str) -> list[dict[str, str]]:
    """Return the lines of a scores.csv as dictionaries by column.

    Raises ConfigError for an unreadable file, or one without the required columns.
    """
    lines = csv.DictReader(io.StringIO(read_text(path)))
    if not set(required) <= set(lines.fieldnames or ()):
        raise ConfigError(
            f"{path}: no scores of `espnet-distill evaluate`; evaluate again"
        )
    return list(lines)


def _with_differences(row: dict) -> dict:
    return {
        key: Difference(**value) if value and key.endswith("_difference") else value
        for key, value in row.items()
    }


def _format(value: float | Difference | None, form: str) -> str | None:
    return None if value is None else format(value, form)


def _attribute(scores, name: str) -> str | None:
    return _format(getattr(scores, name, None), ".4f")
