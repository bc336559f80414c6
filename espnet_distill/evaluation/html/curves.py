"""Draw training curves over batches, and pitch contours over time."""

from collections.abc import Sequence
from math import isfinite

import numpy as np

from espnet_distill.evaluation.html.audio import PITCH_MS
from espnet_distill.evaluation.html.axes import Box, plain, scale, short
from espnet_distill.evaluation.html.results import System
from espnet_distill.evaluation.html.svg import Chart, Curve, downsample, path_through
from espnet_distill.evaluation.html.training_log import Points, TrainingLog

HIGH, FLAT, LOW = Box(400, 300), Box(400, 210), Box(400, 130, top=8)


WIDE = Box(1000, 170, left=0, right=0, top=0, bottom=0)  # stretched to the page's width


MOST_MARKS = 40  # validations that are drawn as dots


def losses(
    training: TrainingLog, key: str, place: int, box: Box = FLAT
) -> Chart | None:
    """Draw a quantity of a training log over batches, in training and validation."""
    curves = {
        "training": downsample(_finite(training.train.get(key, []))),
        "validation": _finite(training.valid.get(key, [])),
    }
    last = {name: points[-1][1] for name, points in curves.items() if points}
    if not last:
        return None
    ends = ", ".join(f"{name} ends at {value:.3f}" for name, value in last.items())
    places = {"training": "training", "validation": place}
    return _over_batches(curves, key, f"{key} over batches: {ends}", box, places)


def validations(systems: Sequence[System], key: str) -> Chart | None:
    """Draw the validation curves of all trainings; None if fewer than two have any.

    Models compacted from one training share its curve, under the first one's name.
    """
    trained = [system for system in systems if system.training]
    first = {one.training.folder.resolve(): one for one in reversed(trained)}
    curves = {
        one.name: (one.place, _finite(one.training.valid.get(key, [])))
        for one in trained
        if one in first.values()
    }
    curves = {name: curve for name, curve in curves.items() if curve[1]}
    if len(curves) < 2:
        return None
    ends = "; ".join(
        f"{name} {points[-1][1]:.3f}" for name, (_, points) in curves.items()
    )
    return _over_batches(
        {name: points for name, (_, points) in curves.items()},
        key,
        f"{key} in validation, at the end: {ends}",
        HIGH,
        {name: place for name, (place, _) in curves.items()},
    )


def sparsity(training: TrainingLog, place: int) -> Chart | None:
    """Draw a model's sparsity over batches; None if it is 0 throughout."""
    sparsities = {
        name: downsample(points) for name, points in training.sparsities().items()
    }
    sparsities = {name: points for name, points in sparsities.items() if points}
    if not any(value for points in sparsities.values() for _, value in points):
        return None
    x = scale([0, training.batches or 1], *LOW.x_ends, room=0.0)
    y = scale([0, 1], *LOW.y_ends, room=0.0)
    curves = [
        Curve(
            path_through([(x(at), y(value)) for at, value in points], steps=True),
            place if name == "sparsity" else "part",
            name.removeprefix("sparsity_"),
        )
        for name, points in sparsities.items()
    ]
    ends = "; ".join(
        f"{name} {100 * points[-1][1]:.1f} %" for name, points in sparsities.items()
    )
    return Chart(
        LOW,
        f"Sparsity at the end: {ends}",
        "batches",
        "sparsity",
        x.ticks(5, short),
        y.ticks(4, "{:.0%}".format),
        curves=curves,
    )


def _over_batches(
    curves: dict[str, Points],
    title: str,
    summary: str,
    box: Box,
    places: dict[str, int | str],
) -> Chart:
    points = [point for curve in curves.values() for point in curve]
    values = [value for _, value in points]
    x = scale([0, *(at for at, _ in points)], *box.x_ends, room=0.0)
    wide = min(values) > 0 and max(values) / min(values) > 4
    y = scale(values, *box.y_ends, log=wide)
    drawn = []
    for name, curve in curves.items():
        at = [(x(batch), y(value)) for batch, value in curve]
        few = name != "training" and len(at) <= MOST_MARKS
        drawn.append(Curve(path_through(at), places[name], name, at if few else []))
    return Chart(
        box,
        summary,
        "batches",
        title,
        x.ticks(5, short),
        y.ticks(5, plain),
        curves=drawn,
    )


def contours(
    pitches: dict[int, tuple[str, np.ndarray]], seconds: float
) -> Chart | None:
    """Draw F0 contours of several renderings of a sentence, on a logarithmic axis.

    Args:
        pitches: By place of the row: its name, and F0 in Hz, 0 where unvoiced.
        seconds: Duration of the longest rendering.
    """
    voiced = np.concatenate([f0[f0 > 0] for _, f0 in pitches.values()])
    if not len(voiced):
        return None
    low, high = np.percentile(voiced, [1, 99])
    x = scale([0, seconds], *WIDE.x_ends, room=0.0)
    y = scale([low, high], *WIDE.y_ends, log=True, room=0.12)
    curves = []
    for place, (name, f0) in pitches.items():
        points = [
            (x(frame * PITCH_MS / 1000), y(value)) if y.low <= value <= y.high else None
            for frame, value in enumerate(f0)
        ]
        curves.append(Curve(path_through(points), place, name))
    medians = {name: np.median(f0[f0 > 0]) for name, f0 in pitches.values() if any(f0)}
    summary = "; ".join(f"{name} {value:.0f} Hz" for name, value in medians.items())
    return Chart(
        WIDE,
        f"Pitch contours over each other; median {summary}",
        "seconds",
        "F0 (Hz)",
        x.ticks(8, plain),
        y.ticks(6, plain),
        curves=curves,
    )


def _finite(points: Points) -> Points:
    return [point for point in points if isfinite(point[1])]
