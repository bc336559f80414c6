"""History of sparsity and validation loss."""

import math
from pathlib import Path

from espnet_distill.utils.files import written_whole

KIND = "sparsity"  # the history keeps this statistic and those named sparsity_…


RESOLUTION = 0.01


LEVEL = 0.05


class History:
    """Sparsities and validation losses over the optimizer's steps.

    Attributes:
        sparsities: By statistic, (step, sparsity) at changes of about RESOLUTION, and
            at the last change.
        losses: (step, loss) of each validation.
    """

    def __init__(self):
        self.sparsities: dict[str, list[tuple[int, float]]] = {}
        self.losses: list[tuple[int, float]] = []

    def record(self, step: int, statistics: dict[str, float]) -> None:
        """Record the sparsities that have changed."""
        for name, value in statistics.items():
            if name == KIND or name.startswith(f"{KIND}_"):
                self._append(self.sparsities.setdefault(name, []), step, float(value))

    @staticmethod
    def _append(points: list[tuple[int, float]], step: int, value: float) -> None:
        if points and points[-1][1] == value:
            return
        if len(points) > 1 and abs(points[-1][1] - points[-2][1]) < RESOLUTION:
            points.pop()
        points.append((step, value))

    def record_loss(self, step: int, loss: float) -> None:
        """Record the loss of a validation."""
        self.losses.append((step, float(loss)))

    def levels(self, name: str = KIND) -> list[tuple[float, int]]:
        """Return (level, step) of the multiples of LEVEL, and of the last value."""
        reached: list[tuple[float, int]] = []
        points = self.sparsities.get(name, [])
        for step, value in points:
            level = math.floor(value / LEVEL + 1e-6) * LEVEL
            if level > (reached[-1][0] if reached else 0):
                reached.append((level, step))
        if points and points[-1][1] > (reached[-1][0] if reached else 0):
            reached.append((points[-1][1], points[-1][0]))
        return reached

    def state_dict(self) -> dict:
        return {
            "sparsities": {
                name: list(points) for name, points in self.sparsities.items()
            },
            "losses": list(self.losses),
        }

    def load_state_dict(self, state: dict) -> None:
        saved = state["sparsities"].items()
        self.sparsities = {name: list(points) for name, points in saved}
        self.losses = list(state["losses"])


def describe(history: History) -> list[str]:
    """Return a line for each statistic, with the step at which each level was reached.

    Levels are multiples of LEVEL, and the last value.
    """
    return [
        f"{name}: " + ", ".join(f"{level:.3g} at step {step}" for level, step in levels)
        for name in history.sparsities
        if (levels := history.levels(name))
    ]


def plot(history: History, path: Path) -> None:
    """Plot sparsities and validation loss over steps into a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    left = figure.subplots()
    last = max(step for points in _curves(history) for step, _ in points)
    for name, points in history.sparsities.items():
        steps, values = zip(*points, (last, points[-1][1]))
        left.step(steps, values, where="post", label=name)
    left.set(xlabel="optimizer steps", ylabel="sparsity", ylim=(0, 1))
    left.grid(alpha=0.3)
    if history.losses:
        right = left.twinx()
        right.plot(*zip(*history.losses), "k.--", label="validation loss")
        right.set_ylabel("validation loss")
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _curves(history: History) -> list[list[tuple[int, float]]]:
    return [*history.sparsities.values(), *filter(None, [history.losses])]
