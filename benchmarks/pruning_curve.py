"""Plot word error rate and DNSMOS over pressure, from the CSV of `pruning.sh`.

`benchmarks/pruning_curve.py results/pruning.csv results/pruning.png`
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

from matplotlib.figure import Figure

from espnet_distill.utils.files import written_whole

MEASURES = {"wer": "Word error (%)", "dnsmos": "DNSMOS"}
METHODS = ("structured", "unstructured", "low-rank", "one-shot", "alone")


def read_means(path: Path) -> dict[str, dict[str, float]]:
    """Return each setting's measures, averaged over its seeds."""
    runs = defaultdict(list)
    with path.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            runs[row["setting"]].append(row)
    return {
        setting: {
            measure: sum(float(row[measure]) for row in rows) / len(rows)
            for measure in MEASURES
        }
        for setting, rows in runs.items()
    }


def draw(means: dict[str, dict[str, float]], path: Path) -> None:
    """Draw a line for each method, starting at the unpruned student."""
    figure = Figure(figsize=(9, 3.4), dpi=150, layout="constrained")
    for axes, (measure, title) in zip(
        figure.subplots(1, len(MEASURES)), MEASURES.items()
    ):
        for method in METHODS:
            points = [(0.0, means["unpruned"][measure])]
            points += [
                (float(setting.partition("_")[2]), values[measure])
                for setting, values in means.items()
                if setting.startswith(f"{method}_")
            ]
            if len(points) > 1:
                axes.plot(*zip(*sorted(points)), marker="o", label=method)
        if "teacher" in means:
            axes.axhline(means["teacher"][measure], color="grey", linestyle=":", lw=1)
            axes.annotate("teacher", (0.0, means["teacher"][measure]), color="grey")
        axes.set(xlabel="pressure", title=title)
        axes.grid(alpha=0.3)
    figure.axes[0].legend(frameon=False)
    with written_whole(path) as temporary:
        figure.savefig(temporary)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path, help="one line a run, as of pruning.sh --csv")
    parser.add_argument("plot", type=Path, help="PNG or SVG to write")
    args = parser.parse_args()
    draw(read_means(args.csv), args.plot)


if __name__ == "__main__":
    main()
