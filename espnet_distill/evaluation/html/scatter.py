"""Draw scatter plots of quality against speed and against size."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from espnet_distill.evaluation.html.axes import Box, plain, scale, short
from espnet_distill.evaluation.html.labels import place_labels
from espnet_distill.evaluation.html.results import TEACHER, System
from espnet_distill.evaluation.html.svg import Chart, Point

SQUARE = Box(400, 300)


@dataclass(frozen=True)
class Quality:
    """A metric of quality: field of a row, title of its axis, and format."""

    name: str
    title: str
    form: str


QUALITIES = (
    Quality("wer", "WER (%), lower is better", ".1f"),
    Quality("cer", "CER (%), lower is better", ".1f"),
    Quality("dnsmos", "DNSMOS, higher is better", ".2f"),
    Quality("mcd", "MCD (dB), lower is better", ".2f"),
    Quality("mel_error", "Mel L1, lower is better", ".3f"),
)


MOST_QUALITIES = 2


COSTS = {
    "rtf_text2mel": "Real-time factor, text → mel (lower is faster)",
    "rtf_text2wav": "Real-time factor, text → wav (lower is faster)",
    "params": "Parameters",
}


def tradeoffs(systems: Sequence[System]) -> list[Chart]:
    """Return a chart for each measured pair of a quality and a cost.

    CER is drawn where there is no WER.
    """
    qualities = [one for one in QUALITIES if _rows_with(systems, one.name)]
    if _rows_with(systems, "wer"):
        qualities = [one for one in qualities if one.name != "cer"]
    speed = "rtf_text2mel" if _rows_with(systems, "rtf_text2mel") else "rtf_text2wav"
    charts = [
        _tradeoff(systems, cost, quality)
        for quality in qualities[:MOST_QUALITIES]
        for cost in (speed, "params")
    ]
    return [chart for chart in charts if chart]


def _rows_with(systems: Sequence[System], *names: str) -> list[System]:
    return [
        system
        for system in systems
        if all(getattr(system.row, name) is not None for name in names)
    ]


def _tradeoff(systems: Sequence[System], cost: str, quality: Quality) -> Chart | None:
    shown = [one for one in _rows_with(systems, cost, quality.name) if one.place]
    if not shown:
        return None
    recorded = [one for one in _rows_with(systems, quality.name) if not one.place]
    costs = [getattr(one.row, cost) for one in shown]
    values = [getattr(one.row, quality.name) for one in shown]
    level = [getattr(one.row, quality.name) for one in recorded]
    intervals = [_interval(one, systems, quality.name) for one in shown]
    ends = [end for interval in intervals if interval for end in interval]
    x = scale(costs, *SQUARE.x_ends, log=True, room=0.15)
    y = scale([*values, *level, *ends], *SQUARE.y_ends)
    at = [(x(one), y(other)) for one, other in zip(costs, values)]
    labels = place_labels(
        _without_common_parts([one.name for one in shown]), at, SQUARE
    )
    points = [
        Point(
            one.name, *point, one.place, label, *(map(y, interval) if interval else ())
        )
        for one, point, label, interval in zip(shown, at, labels, intervals)
    ]
    summaries = [
        f"{one.name} {format(value, quality.form)} at {short(spent)}"
        for one, value, spent in zip(shown, values, costs)
    ]
    return Chart(
        SQUARE,
        f"{quality.title} against {COSTS[cost]}: {'; '.join(summaries)}",
        COSTS[cost],
        quality.title,
        x.ticks(6, short),
        y.ticks(6, plain),
        points=points,
        levels=[(y(value), "recording") for value in level],
    )


def _without_common_parts(names: list[str]) -> list[str]:
    """Remove the common prefix and suffix of all names but the teacher's."""
    parts = [name.split("_") for name in names if name != TEACHER]
    if len(parts) < 2:
        return names
    spare = min(map(len, parts)) - 1
    first = len(os.path.commonprefix(parts))
    first = min(first, spare)
    last = len(os.path.commonprefix([part[::-1] for part in parts]))
    last = min(last, spare - first)
    return [
        name if name == TEACHER else "_".join(name.split("_")[first:][: -last or None])
        for name in names
    ]


def _interval(system: System, systems, name: str) -> tuple[float, float] | None:
    """Return the 95 % interval of the difference, added to the teacher's value."""
    difference = getattr(system.row, f"{name}_difference", None)
    teacher = [getattr(one.row, name) for one in systems if one.place == 1]
    if difference is None or teacher[:1] in ([], [None]):
        return None
    return teacher[0] + difference.low, teacher[0] + difference.high
