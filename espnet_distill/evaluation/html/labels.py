"""Names beside the points of a scatter plot, so that all can be read."""

from collections.abc import Sequence
from dataclasses import dataclass

from espnet_distill.evaluation.html.axes import Box

LETTER, LINE = 6.6, 14  # size of a letter of a label, in the units of a chart


LONGEST_LABEL = 26


AWAY = (10, 26, 42, 58, 74)  # from a point to its label


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
    """A text at a point; ``anchor`` is SVG's text-anchor.

    One that is far from what it names wants a line to it.
    """

    x: float
    y: float
    anchor: str
    text: str
    is_far: bool


def place_labels(
    names: Sequence[str], at: Sequence[tuple[float, float]], box: Box
) -> list[Label]:
    """Put each name beside its point, where it hides least.

    Each takes the place that least of the points and of the earlier names is in, of
    several the nearest.
    """
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in at]
    labels = []
    for name, (x, y) in zip(names, at):
        shown = name if len(name) <= LONGEST_LABEL else _middle_out(name)
        width = LETTER * len(shown)
        places = [_place(x, y, width, away, turn) for away in AWAY for turn in TURNS]
        label, area, away = min(places, key=lambda one: _cost(*one[1:], taken, box))
        taken.append(area)
        labels.append(Label(*label, shown, is_far=away > AWAY[0]))
    return labels


def _middle_out(name: str) -> str:
    half = (LONGEST_LABEL - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def _place(x, y, width: float, away: float, turn: tuple[float, float]) -> tuple:
    """(x, y, anchor) of a text, the area (left, top, right, bottom) it covers, away."""
    across, down = turn
    x, middle = x + across * away, y + down * (away + 3)
    anchor, left = ("start", x) if across > 0 else ("end", x - width)
    if not across:
        anchor, left = "middle", x - width / 2
    area = (left, middle - LINE / 2, left + width, middle + LINE / 2)
    return (round(x, 1), round(middle + LINE / 2 - 3, 1), anchor), area, away


def _cost(area: tuple, away: float, taken: list[tuple], box: Box) -> float:
    """How much an area hides, how far it is outside, and how far from its point."""
    left, top, right, bottom = area
    covered = sum(
        max(0, min(right, other[2]) - max(left, other[0]))
        * max(0, min(bottom, other[3]) - max(top, other[1]))
        for other in taken
    )
    outside = max(0, box.left - left) + max(0, right - box.width)
    outside += max(0, -top) + max(0, bottom - (box.height - box.bottom))
    return covered + 200 * outside + away
