"""How far a training has pruned, and what it did to the validation's loss."""

import math
from pathlib import Path

from espnet_distill.utils.files import written_whole

KIND = "sparsity"  # statistics of this name are shares, and so are its sparsity_…


RESOLUTION = 0.01


LEVEL = 0.05


class History:
    """Shares and validation losses over the optimizer's steps.

    Attributes:
        shares: For each statistic of sparsity its (step, share) where it moved by about
            a hundredth, and where it moved last.
        losses: (step, loss) of each validation.
    """

    def __init__(self):
        self.shares: dict[str, list[tuple[int, float]]] = {}
        self.losses: list[tuple[int, float]] = []

    def see(self, step: int, statistics: dict[str, float]) -> None:
        """Keep what has moved since the last time."""
        for name, value in statistics.items():
            if name == KIND or name.startswith(f"{KIND}_"):
                self._keep(self.shares.setdefault(name, []), step, float(value))

    @staticmethod
    def _keep(points: list[tuple[int, float]], step: int, share: float) -> None:
        if points and points[-1][1] == share:
            return
        if len(points) > 1 and abs(points[-1][1] - points[-2][1]) < RESOLUTION:
            points.pop()
        points.append((step, share))

    def see_loss(self, step: int, loss: float) -> None:
        """Keep the loss of a validation after so many steps."""
        self.losses.append((step, float(loss)))

    def levels(self, name: str = KIND) -> list[tuple[float, int]]:
        """Return (level, step) for each twentieth when it was reached, and the last."""
        reached: list[tuple[float, int]] = []
        points = self.shares.get(name, [])
        for step, share in points:
            level = math.floor(share / LEVEL + 1e-6) * LEVEL
            if level > (reached[-1][0] if reached else 0):
                reached.append((level, step))
        if points and points[-1][1] > (reached[-1][0] if reached else 0):
            reached.append((points[-1][1], points[-1][0]))
        return reached

    def state_dict(self) -> dict:
        return {
            "shares": {name: list(points) for name, points in self.shares.items()},
            "losses": list(self.losses),
        }

    def load_state_dict(self, state: dict) -> None:
        self.shares = {name: list(points) for name, points in state["shares"].items()}
        self.losses = list(state["losses"])


def describe(history: History) -> list[str]:
    """Return a line for each statistic that says at which step each level was reached.

    A level is a twentieth of the parameters, and whatever was reached last.
    """
    return [
        f"{name}: " + ", ".join(f"{level:.3g} at step {step}" for level, step in levels)
        for name in history.shares
        if (levels := history.levels(name))
    ]


def plot(history: History, path: Path) -> None:
    """Draw shares and validation loss over steps into a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    left = figure.subplots()
    last = max(step for points in _curves(history) for step, _ in points)
    for name, points in history.shares.items():
        steps, shares = zip(*points, (last, points[-1][1]))
        left.step(steps, shares, where="post", label=name)
    left.set(xlabel="optimizer steps", ylabel="share that is gone", ylim=(0, 1))
    left.grid(alpha=0.3)
    if history.losses:
        right = left.twinx()
        right.plot(*zip(*history.losses), "k.--", label="validation loss")
        right.set_ylabel("validation loss")
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    with written_whole(path) as beside:
        figure.savefig(beside, dpi=120)


def _curves(history: History) -> list[list[tuple[int, float]]]:
    return [*history.shares.values(), *filter(None, [history.losses])]
