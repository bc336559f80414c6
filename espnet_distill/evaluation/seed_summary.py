"""Summarize an evaluation of settings that were trained with several seeds."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from espnet_distill.errors import ConfigError, ErrorCollector
from espnet_distill.utils.config_values import as_number, require_values, shown
from espnet_distill.utils.files import read_json, require_makeable, write_csv
from espnet_distill.utils.markdown import aligned

# Title in the table, format, and name in table.json; by the name in the CSV.
METRICS = {
    "wer": ("WER (%)", ".1f", "wer"),
    "dnsmos": ("DNSMOS", ".2f", "dnsmos"),
    "mcd": ("MCD (dB)", ".2f", "mcd"),
    "logf0_rmse": ("log-F0 RMSE", ".3f", "log_f0_rmse"),
    "duration_error": ("Duration (ms)", ".1f", "duration_error"),
    "val_mel": ("Mel L1", ".3f", "mel_error"),
}


OPTIONAL = {  # columns only if any run has a value
    "cer": ("CER (%)", ".1f", "cer"),
    "per": ("PER (%)", ".1f", "per"),
    "dnsmos_p808": ("DNSMOS P.808", ".2f", "dnsmos_p808"),
    "distillmos": ("DistillMOS", ".2f", "distillmos"),
    "utmos": ("UTMOS", ".2f", "utmos"),
    "nisqa": ("NISQA", ".2f", "nisqa"),
    "similarity": ("Speaker", ".3f", "similarity"),
}


FIGURES = ("words", "errors", "dnsmos")  # of scores.csv


CSV_COLUMNS = (
    "setting",
    "seed",
    "mcd",
    "logf0_rmse",
    "duration_error",
    "wer",
    "dnsmos",
    "val_mel",
)


NAME = re.compile(r"(.+?)(?:_seed(\d+)(?:_compact)?)?")  # compacted after pruning


Runs = dict[str, dict[str, dict]]  # by setting and seed


def summarize_seeds(
    evaluation: str | Path,
    *,
    csv: str | Path | None = None,
    against: Sequence[str] = ("teacher",),
) -> str:
    """Summarize an evaluation of settings that were trained with several seeds.

    Args:
        evaluation: Output folder of an evaluation of experiments ``<setting>_seed<N>``.
        csv: CSV file to write, a line per run.
        against: Settings to show differences to.

    Returns:
        A Markdown table, a row per setting.

    Raises:
        ConfigError: A folder without an evaluation, without scores of one of its rows,
            or without a setting of ``against``.
    """
    evaluation = Path(evaluation)
    runs = read_runs(evaluation / "table.json")
    scores = _read_scores(evaluation / "scores.csv")
    for row in (row["name"] for seeds in runs.values() for row in seeds.values()):
        if row not in scores:
            raise ConfigError(
                f"{evaluation / 'scores.csv'}: no scores of {row}; evaluate again"
            )
    if csv:
        require_makeable(Path(csv))
    for setting in against:
        if setting not in runs:
            raise ConfigError(
                f"--against {setting}: {evaluation} has {', '.join(runs)}"
            )
    if csv:
        columns = (*CSV_COLUMNS, *_optional(runs))
        write_csv(Path(csv), columns, _csv_lines(runs, columns))
    return to_markdown(runs, scores, list(against))


def read_runs(path: Path) -> Runs:
    """Return the rows of an evaluation by setting and seed ("" without a seed)."""
    table = read_json(path) if path.is_file() else None
    rows = table.get("rows") if isinstance(table, dict) else None
    if not isinstance(rows, list) or not all(map(_is_row, rows)):
        raise ConfigError(f"{path}: no table of `espnet-distill evaluate`")
    figures = [key for _, _, key in (METRICS | OPTIONAL).values()]
    with ErrorCollector() as faults:
        for row in rows:
            where = f"{path}: {row['name']}: "
            faults.check(require_values, row, dict.fromkeys(figures, as_number), where)
    runs: Runs = {}
    for row in rows:
        setting, seed = NAME.fullmatch(row["name"]).groups()
        seeds = runs.setdefault(setting, {}) if setting != "reference" else {}
        if (seed or "") in seeds:
            other = seeds[seed or ""]["name"]
            raise ConfigError(
                f"{path}: {other} and {row['name']} are one seed of {setting}; evaluate "
                "one of them"
            )
        seeds[seed or ""] = row
    return runs


def _is_row(row) -> bool:
    keys = {"name", *(key for _, _, key in METRICS.values())}
    if not isinstance(row, dict) or not keys <= row.keys():
        return False
    return isinstance(row["name"], str) and bool(NAME.fullmatch(row["name"]))


def _optional(runs: Runs) -> dict[str, tuple[str, str, str]]:
    """Return the optional metrics of which any run has a value."""
    rows = [row for seeds in runs.values() for row in seeds.values()]
    return {
        name: column
        for name, column in OPTIONAL.items()
        if any(row.get(column[-1]) is not None for row in rows)
    }


def _csv_lines(runs: Runs, columns: Iterable[str]) -> Iterator[list[str | None]]:
    """Yield a line per run."""
    metrics = METRICS | OPTIONAL
    for setting, seeds in runs.items():
        for seed, row in seeds.items():
            values = {
                name: _cell([row.get(key)], ".4f")
                for name, (_, _, key) in metrics.items()
            }
            values |= {"setting": setting, "seed": seed}
            yield [values[column] for column in columns]


def to_markdown(runs: Runs, scores: dict[str, list[dict]], against: list[str]) -> str:
    """Return a table, a row per setting: means, ranges, and 95 % intervals."""
    columns: dict[str, list[str | None]] = {
        "": list(runs),
        "Seeds": [str(len(seeds)) for seeds in runs.values()],
    }
    for title, form, key in (METRICS | _optional(runs)).values():
        columns[title] = [
            _cell([row.get(key) for row in seeds.values()], form)
            for seeds in runs.values()
        ]
    for other in against:
        for metric, difference in (
            ("WER", _wer_difference),
            ("DNSMOS", _mos_difference),
        ):
            columns[f"Δ{metric} to {other} [95 %]"] = [
                None
                if setting == other
                else difference(
                    _scores_of(runs[setting], scores), _scores_of(runs[other], scores)
                )
                for setting in runs
            ]
    return aligned(columns)


def _cell(values: list, form: str) -> str | None:
    """Format the mean, and the range if there are several."""
    if None in values:
        return None
    mean = format(sum(values) / len(values), form)
    if len(values) == 1:
        return mean
    return f"{mean} ({min(values):{form}}–{max(values):{form}})"


def _read_scores(path: Path) -> dict[str, list[dict]]:
    """Return the lines of scores.csv by row, in the order of the utterances."""
    from espnet_distill.evaluation import table

    scores: dict[str, list[dict]] = {}
    for number, line in enumerate(table.read_scores(path, "row", *FIGURES), start=2):
        figures = {
            column: _figure(line[column], f"{path}: line {number}: {column}")
            for column in FIGURES
        }
        scores.setdefault(line["row"], []).append(figures)
    _require_whole(scores, path)
    return scores


def _figure(cell: str | None, where: str) -> float | None:
    """Return the number of a cell, NaN for a sentence without one, None if empty."""
    if not cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        raise ConfigError(f"{where}: expected a number, got {shown(cell)}") from None
    return value if math.isnan(value) else as_number(value, where, least=0)


def _require_whole(scores: dict[str, list[dict]], path: Path) -> None:
    """Refuse rows that differ in sentences, or lack figures of some sentences."""
    if len(set(map(len, scores.values()))) > 1:
        raise ConfigError(f"{path}: the rows have different sentences; evaluate again")
    for row, lines in scores.items():
        for column in FIGURES:
            if len({line[column] is None for line in lines}) > 1:
                raise ConfigError(
                    f"{path}: {row}: no {column} for some sentences; evaluate again"
                )


def _scores_of(seeds: dict[str, dict], scores: dict) -> list[list[dict]]:
    return [scores[row["name"]] for row in seeds.values()]


def _wer_difference(one: list[list[dict]], other: list[list[dict]]) -> str | None:
    words = [line["words"] for line in one[0]]
    return _difference(one, other, "errors", "+.1f", 100, words)


def _mos_difference(one: list[list[dict]], other: list[list[dict]]) -> str | None:
    return _difference(one, other, "dnsmos", "+.2f")


def _difference(
    one: list[list[dict]],
    other: list[list[dict]],
    column: str,
    form: str,
    scale: float = 1,
    weights: list[float] | None = None,
) -> str | None:
    """Format the difference of two settings, averaged over seeds and sentences.

    Only sentences of which every run has a figure count; None of fewer than two.
    """
    import numpy as np

    from espnet_distill.evaluation.metrics.bootstrap import paired_difference

    values = [
        np.array([[line[column] for line in run] for run in runs], float) * scale
        for runs in (one, other)
    ]
    weights = np.array(weights or np.ones(values[0].shape[1]), float)
    kept = np.isfinite(np.concatenate([*values, weights[None]])).all(axis=0)
    if kept.sum() < 2 or not weights[kept].sum():
        return None
    means = (runs[:, kept].mean(axis=0) for runs in values)
    return format(paired_difference(*means, weights[kept]), form)
