"""Geometry of charts, for a template that writes SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from espnet_distill.evaluation.html.axes import Box
from espnet_distill.evaluation.html.labels import Label

MOST_POINTS = 400  # of a curve


@dataclass(frozen=True)
class Point:
    """A row in a scatter plot; ``low`` and ``high`` bound its interval."""

    name: str
    x: float
    y: float
    place: int
    label: Label
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Curve:
    """A polyline as an SVG path; ``marks`` are drawn as dots."""

    path: str
    place: int | str
    name: str
    marks: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Chart:
    """Content of a chart; ``levels`` are (y, name) of horizontal lines."""

    box: Box
    summary: str
    x_title: str
    y_title: str
    x_ticks: list[tuple]
    y_ticks: list[tuple]
    points: list[Point] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    levels: list[tuple[float, str]] = field(default_factory=list)


def path_through(points: Sequence[tuple[float, float] | None], steps=False) -> str:
    """Return an SVG path through points, interrupted at each None."""
    segments, lifted = [], True
    for point in points:
        if point is None:
            lifted = True
            continue
        x, y = point
        to = f"H{x:g}V{y:g}" if steps else f"L{x:g} {y:g}"
        segments.append(f"M{x:g} {y:g}" if lifted else to)
        lifted = False
    return "".join(segments)


def downsample(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Average neighboring points, to at most MOST_POINTS points."""
    number = math.ceil(len(points) / MOST_POINTS)
    groups = [points[at : at + number] for at in range(0, len(points), number or 1)]
    return [tuple(sum(axis) / len(axis) for axis in zip(*group)) for group in groups]
