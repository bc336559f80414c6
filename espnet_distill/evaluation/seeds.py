"""``espnet-distill seeds``: what several seeds of each setting come to together."""

import argparse
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.files import read_json, require_makeable, write_csv
from espnet_distill.markdown import aligned

# Title in the table, format, and name in table.json; by the name in the CSV.
MEASURES = {
    "wer": ("WER (%)", ".1f", "wer"),
    "dnsmos": ("DNSMOS", ".2f", "dnsmos"),
    "mcd": ("MCD (dB)", ".2f", "mcd"),
    "logf0_rmse": ("log-F0 RMSE", ".3f", "log_f0_rmse"),
    "duration_error": ("Duration (ms)", ".1f", "duration_error"),
    "val_mel": ("Mel L1", ".3f", "mel_error"),
}
OPTIONAL = {  # shown where an evaluation has them
    "cer": ("CER (%)", ".1f", "cer"),
    "utmos": ("UTMOS", ".2f", "utmos"),
    "nisqa": ("NISQA", ".2f", "nisqa"),
    "similarity": ("Speaker", ".3f", "similarity"),
}
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

NAME = re.compile(r"(.+?)(?:_seed(\d+)(?:_compact)?)?")  # a pruned one is compacted

Runs = dict[str, dict[str, dict]]  # by setting and seed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add(
        "evaluation",
        metavar="DIR",
        type=Path,
        help="what `espnet-distill evaluate` wrote of experiments <setting>_seed<N>",
    )
    add("--csv", metavar="FILE", type=Path, help="also write a line a run to FILE")
    add(
        "--against",
        metavar="SETTING",
        nargs="+",
        default=["teacher"],
        help="settings to show differences to (default: teacher)",
    )


def main(args: argparse.Namespace) -> None:
    """Print the table and write the CSV."""
    runs = read_runs(args.evaluation / "table.json")
    scores = _read_scores(args.evaluation / "scores.csv")
    for row in (row["name"] for seeds in runs.values() for row in seeds.values()):
        if row not in scores:
            raise ConfigError(
                f"{args.evaluation / 'scores.csv'}: no scores of {row}; evaluate again"
            )
    if args.csv:
        require_makeable(args.csv)
    for setting in args.against:
        if setting not in runs:
            raise ConfigError(
                f"--against {setting}: {args.evaluation} has {', '.join(runs)}"
            )
    if args.csv:
        columns = (*CSV_COLUMNS, *_optional(runs))
        write_csv(args.csv, columns, _csv_lines(runs, columns))
    print(to_markdown(runs, scores, args.against))


def read_runs(path: Path) -> Runs:
    """Rows of an evaluation by setting and seed ("" where a name has none)."""
    table = read_json(path) if path.is_file() else None
    rows = table.get("rows") if isinstance(table, dict) else None
    if not isinstance(rows, list) or not all(map(_is_row, rows)):
        raise ConfigError(f"{path}: no table of `espnet-distill evaluate`")
    runs: Runs = {}
    for row in rows:
        setting, seed = NAME.fullmatch(row["name"]).groups()
        if setting != "reference":
            runs.setdefault(setting, {})[seed or ""] = row
    return runs


def _is_row(row) -> bool:
    keys = {"name", *(key for _, _, key in MEASURES.values())}
    return isinstance(row, dict) and keys <= row.keys() and bool(row["name"])


def _optional(runs: Runs) -> dict[str, tuple[str, str, str]]:
    """Return those of the optional measures that any run has."""
    rows = [row for seeds in runs.values() for row in seeds.values()]
    return {
        name: measure
        for name, measure in OPTIONAL.items()
        if any(row.get(measure[-1]) is not None for row in rows)
    }


def _csv_lines(runs: Runs, columns: Iterable[str]) -> Iterator[list[str | None]]:
    """A line a run."""
    measures = MEASURES | OPTIONAL
    for setting, seeds in runs.items():
        for seed, row in seeds.items():
            values = {
                name: _cell([row.get(key)], ".4f")
                for name, (_, _, key) in measures.items()
            }
            values |= {"setting": setting, "seed": seed}
            yield [values[column] for column in columns]


def to_markdown(runs: Runs, scores: dict[str, list[dict]], against: list[str]) -> str:
    """A line a setting: mean of its seeds, their range, differences with intervals."""
    columns: dict[str, list[str | None]] = {
        "": list(runs),
        "Seeds": [str(len(seeds)) for seeds in runs.values()],
    }
    for title, form, key in (MEASURES | _optional(runs)).values():
        columns[title] = [
            _cell([row.get(key) for row in seeds.values()], form)
            for seeds in runs.values()
        ]
    for other in against:
        for measure, difference in (
            ("WER", _wer_difference),
            ("DNSMOS", _mos_difference),
        ):
            columns[f"Δ{measure} to {other} [95 %]"] = [
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
    """Lines of scores.csv by row, in the order of the utterances."""
    from espnet_distill.evaluation import table

    scores: dict[str, list[dict]] = {}
    for line in table.read_scores(path, "row", "words", "errors", "dnsmos"):
        scores.setdefault(line["row"], []).append(line)
    return scores


def _scores_of(seeds: dict[str, dict], scores: dict) -> list[list[dict]]:
    return [scores[row["name"]] for row in seeds.values()]


def _wer_difference(one: list[list[dict]], other: list[list[dict]]) -> str | None:
    if not one[0][0]["words"]:
        return None

    def errors(line: dict) -> float:
        return 100 * int(line["errors"])

    words = [int(line["words"]) for line in one[0]]
    return _difference(one, other, errors, "+.1f", words)


def _mos_difference(one: list[list[dict]], other: list[list[dict]]) -> str | None:
    if not one[0][0]["dnsmos"]:
        return None
    return _difference(one, other, lambda line: float(line["dnsmos"]), "+.2f")


def _difference(one, other, value: Callable, form: str, weights=None) -> str:
    """Difference of two settings, each sentence's values averaged over the seeds."""
    import numpy as np

    from espnet_distill.evaluation.bootstrap import paired_difference

    means = (
        np.mean([[value(line) for line in run] for run in runs], axis=0)
        for runs in (one, other)
    )
    return format(paired_difference(*means, weights), form)
