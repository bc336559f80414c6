"""Draw the plots of these pages: `python3 docs/plots.py [FOLDER]`.

`overview.svg` shows what becomes of a teacher; `temperature.svg` shows the effect of the temperature on a distance, attention weights
and a probability; `pressure.svg` plots egs/kathleen/tts1/results/derive.csv.
"""

import argparse
import csv
from pathlib import Path

import matplotlib
import torch
from matplotlib import pyplot

from espnet_distill.objectives.regression import laplace_distance

DOCS = Path(__file__).parent
RESULTS = DOCS.parent / "egs/kathleen/tts1/results/derive.csv"
TEMPERATURES = (1, 1.5, 2, 4)
STEPS = (
    ("teacher", "a trained ESPnet model\n9.0 M parameters", "distil"),
    ("student", "of its class or a smaller one\n1.8 M parameters", "prune"),
    ("pruned student", "half of the parameters\n0.9 M parameters", "compact"),
    ("ESPnet experiment", "for tts.sh, Text2Speech, pack", ""),
)
ATTENTION = torch.tensor([0.01, 0.02, 0.05, 0.7, 0.15, 0.04, 0.02, 0.01])


def draw_overview():
    """Return a figure with one box a model and one arrow a step between two."""
    figure, axes = pyplot.subplots(figsize=(9, 1.2))
    box = {"boxstyle": "round,pad=0.6", "facecolor": "#e8eef7", "edgecolor": "#88aaaa"}
    for place, (name, description, step) in enumerate(STEPS):
        label = f"{name}\n{description}"
        axes.text(place, 0, label, ha="center", va="center", fontsize=7, bbox=box)
        if step:
            arrow = {"arrowstyle": "->", "color": "#555555"}
            ends = (place + 0.62, 0), (place + 0.38, 0)
            axes.annotate("", *ends, arrowprops=arrow)
            axes.text(place + 0.5, 0.2, step, ha="center", fontsize=7)
    axes.set(xlim=(-0.45, len(STEPS) - 0.55), ylim=(-0.6, 0.6))
    axes.axis("off")
    return figure


def draw_temperature():
    """Return a figure with one panel a quantity and one line a temperature."""
    figure, axes = pyplot.subplots(1, 3, figsize=(10, 3))
    difference, logit = torch.linspace(0, 4, 33), torch.linspace(-8, 8, 33)
    for temperature in TEMPERATURES:
        distance = laplace_distance(difference, torch.zeros(33), temperature)
        softened = torch.softmax(ATTENTION.log() / temperature, dim=0)
        label = f"T = {temperature}"
        axes[0].plot(difference, distance, label=label)
        axes[1].plot(range(1, len(softened) + 1), softened, ".-", label=label)
        axes[2].plot(logit, torch.sigmoid(logit / temperature), label=label)
    _label_axes(axes[0], "mel, duration, pitch, energy", "difference", "distance")
    _label_axes(axes[1], "attention", "token", "weight")
    _label_axes(axes[2], "stop", "logit", "probability")
    axes[0].legend(frameon=False)
    return figure


def draw_pressure():
    """Return a figure of size and speed of a derived FastSpeech2 over pressure."""
    with open(RESULTS, encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["teacher"] == "fastspeech2"]
    pressure = [float(row["pressure"]) for row in rows]
    figure, axes = pyplot.subplots(1, 2, figsize=(8, 3))
    axes[0].plot(pressure, [int(row["params"]) / 1e6 for row in rows], "o-")
    axes[1].plot(pressure, [float(row["speed_ratio"]) for row in rows], "o-")
    _label_axes(axes[0], "parameters", "pressure", "millions")
    _label_axes(axes[1], "speed, text to mel", "pressure", "times the teacher's")
    return figure


def _label_axes(axes, title: str, x: str, y: str) -> None:
    axes.set(title=title, xlabel=x, ylabel=y, ylim=(0, None))
    axes.grid(alpha=0.3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", metavar="FOLDER", type=Path, nargs="?", default=DOCS)
    folder = parser.parse_args().folder
    matplotlib.use("agg")
    matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "", "font.size": 9}
    plots = {
        "overview": draw_overview,
        "temperature": draw_temperature,
        "pressure": draw_pressure,
    }
    for name, draw in plots.items():
        figure = draw()
        figure.tight_layout()
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        pyplot.close(figure)


if __name__ == "__main__":
    main()
