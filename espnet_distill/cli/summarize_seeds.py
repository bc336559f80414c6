"""``espnet-distill summarize-seeds``: summarize an evaluation of several seeds."""

import argparse
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.seed_summary import (
    CSV_COLUMNS,
    _csv_lines,
    _optional,
    _read_scores,
    read_runs,
    to_markdown,
)
from espnet_distill.utils.files import require_makeable, write_csv


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
