"""A plot of speed against size."""

from pathlib import Path

from matplotlib.figure import Figure

MARKERS = {"text2mel": ("text → mel", "o"), "text2wav": ("text → wav", "s")}


def plot_speed(path: Path, rows: list) -> None:
    """Write an image of the real-time factors on one thread by parameters.

    Args:
        path: Where it goes; the suffix says which format.
        rows: What has ``name``, ``params`` and ``speed``; text → mel may be None.
    """
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for stage, (label, marker) in MARKERS.items():
        points = [(row.params, getattr(row.speed[1].rtf, stage)) for row in rows]
        points = [(size, factor) for size, factor in points if factor is not None]
        if points:
            axes.scatter(*zip(*points), marker=marker, label=label)
    for row in rows:
        axes.annotate(
            row.name,
            (row.params, row.speed[1].rtf.text2wav),
            (5, 5),
            textcoords="offset points",
        )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="Parameters",
        ylabel="Real-time factor, one thread (lower is faster)",
    )
    axes.margins(0.15)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
