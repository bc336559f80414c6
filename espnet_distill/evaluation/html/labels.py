"""Place the labels of a scatter plot without overlaps."""

from collections.abc import Sequence
from dataclasses import dataclass

from espnet_distill.evaluation.html.axes import Box

LETTER, LINE = 6.6, 14  # width and height of a letter, in the chart's units


LONGEST_LABEL = 26


AWAY = (10, 26, 42, 58, 74)  # distances from a point to its label


TURNS = (
    (1, 0),
    (-1, 0),
    (0, -1),
    (0, 1),
    (0.7, -0.7),
    (-0.7, -0.7),
    (0.7, 0.7),
    (-0.7, 0.7),
)


@dataclass(frozen=True)
class Label:
    """A text at a position; ``anchor`` is SVG's text-anchor.

    A label that is far from its point needs a leader line.
    """

    x: float
    y: float
    anchor: str
    text: str
    is_far: bool


def place_labels(
    names: Sequence[str], at: Sequence[tuple[float, float]], box: Box
) -> list[Label]:
    """Place each name beside its point, with least overlap.

    Labels are placed in order; each takes the position that overlaps points and earlier
    labels least, the nearest of several.
    """
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in at]
    labels = []
    for name, (x, y) in zip(names, at):
        text = name if len(name) <= LONGEST_LABEL else _abbreviate(name)
        width = LETTER * len(text)
        places = [_place(x, y, width, away, turn) for away in AWAY for turn in TURNS]
        label, area, away = min(places, key=lambda one: _cost(*one[1:], taken, box))
        taken.append(area)
        labels.append(Label(*label, text, is_far=away > AWAY[0]))
    return labels


def _abbreviate(name: str) -> str:
    half = (LONGEST_LABEL - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def _place(x, y, width: float, away: float, turn: tuple[float, float]) -> tuple:
    """Return a text's (x, y, anchor), its (left, top, right, bottom), and ``away``."""
    across, down = turn
    x, middle = x + across * away, y + down * (away + 3)
    anchor, left = ("start", x) if across > 0 else ("end", x - width)
    if not across:
        anchor, left = "middle", x - width / 2
    area = (left, middle - LINE / 2, left + width, middle + LINE / 2)
    return (round(x, 1), round(middle + LINE / 2 - 3, 1), anchor), area, away


def _cost(area: tuple, away: float, taken: list[tuple], box: Box) -> float:
    """Return the cost of an area: overlap, excess outside the box, distance."""
    left, top, right, bottom = area
    covered = sum(
        max(0, min(right, other[2]) - max(left, other[0]))
        * max(0, min(bottom, other[3]) - max(top, other[1]))
        for other in taken
    )
    outside = max(0, box.left - left) + max(0, right - box.width)
    outside += max(0, -top) + max(0, bottom - (box.height - box.bottom))
    return covered + 200 * outside + away
