"""Write the table and plot of ``espnet-distill bench``."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from matplotlib.figure import Figure

from espnet_distill.profiling.memory import Memory
from espnet_distill.profiling.speed import Speed, Stages
from espnet_distill.utils.files import write_text, written_whole
from espnet_distill.utils.markdown import aligned

STAGES = {
    "text2mel": "text → mel",
    "mel2wav": "mel → wav",
    "text2latents": "text → latents",
    "latents2wav": "latents → wav",
    "text2wav": "text → wav",
}


CAPTION = """\
{date}; {cpu}; espnet {espnet}, torch {torch}, Python {python}.

- Parameters: those of the `tts` module that synthesis needs, and those of the decoder \
that makes a waveform of latents, as in VITS. Size: the checkpoint file. Memory: the peak \
resident set of a process that loads the experiment and synthesizes the longest \
sentence once, on one thread; Python, torch and ESPnet alone take {libraries:.0f}. \
1 MB = 10⁶ bytes.
- MMAC: million multiply-accumulates a second of speech, of matrix products, \
convolutions, attention and recurrent layers. None are counted for Griffin-Lim.
- RTF: processing over audio seconds, from token ids on (no text front end). \
Vocoder: `{vocoder}`.
- Latency: milliseconds from token ids to the waveform of {chunk}.
- RTF, latency and MMAC are medians over a short, a medium and a long sentence; \
RTF and latency also over repeats ({repeats}), the experiments interleaved in one run.
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One experiment; MACs are per second of speech, ``speed`` by number of threads."""

    name: str
    params: int
    decoder_params: int | None
    size_mb: float
    memory_mb: Memory
    macs: Stages
    speed: dict[int, Speed]
    model: str
    config: str


def markdown(rows: list[Row], environment: dict) -> str:
    """Return the Markdown table and a caption that describes the measurement.

    Columns without any value are omitted.
    """
    columns = {
        title: [column(row) for row in rows]
        for title, column in _columns(list(rows[0].speed)).items()
    }
    table = aligned({title: cells for title, cells in columns.items() if any(cells)})
    libraries = min(row.memory_mb.libraries for row in rows)
    return table + "\n\n" + CAPTION.format(**environment, libraries=libraries)


def to_json(rows: list[Row], environment: dict) -> str:
    """Return the rows and their environment as one JSON object."""
    table = {"environment": environment, "rows": [asdict(row) for row in rows]}
    return json.dumps(table, indent=2, ensure_ascii=False)


def write(out: Path, rows: list[Row], environment: dict) -> None:
    """Write speed_size.png, bench.json, and bench.md, which includes the plot."""
    with written_whole(out / "speed_size.png") as temporary:
        plot_speed(temporary, rows)
    write_text(out / "bench.json", to_json(rows, environment) + "\n")
    plot = "\n![Speed against size](speed_size.png)\n"
    write_text(out / "bench.md", markdown(rows, environment) + plot)


def _columns(threads: list[int]) -> dict[str, Callable[[Row], str | None]]:
    columns = {
        "": lambda row: row.name,
        "Parameters": lambda row: f"{row.params:,}",
        "of the decoder": lambda row: _format(row.decoder_params, 1, ",d"),
        "Size (MB)": lambda row: f"{row.size_mb:.2f}",
        "Memory (MB)": lambda row: f"{row.memory_mb.peak:.0f}",
    }
    for stage, title in STAGES.items():
        columns[f"MMAC {title}"] = _macs(stage)
    for number in threads:
        threads_label = f"{number} thread{'s' if number > 1 else ''}"
        for stage, title in STAGES.items():
            columns[f"RTF {title}, {threads_label}"] = _rtf(stage, number)
        columns[f"Latency (ms), {threads_label}"] = _latency(number)
    return columns


def _macs(stage: str) -> Callable[[Row], str | None]:
    return lambda row: _format(getattr(row.macs, stage), 1e-6, ",.1f")


def _rtf(stage: str, threads: int) -> Callable[[Row], str | None]:
    return lambda row: _format(getattr(row.speed[threads].rtf, stage), 1, ".4f")


def _latency(threads: int) -> Callable[[Row], str | None]:
    return lambda row: _format(row.speed[threads].latency, 1e3, ".1f")


def _format(value: float | None, scale: float, form: str) -> str | None:
    return None if value is None else format(value * scale, form)


MARKERS = {"text2mel": ("text → mel", "o"), "text2wav": ("text → wav", "s")}


def plot_speed(path: Path, rows: list) -> None:
    """Plot real-time factors on one thread against parameters.

    Args:
        path: Output image; the suffix selects the format.
        rows: Objects with ``name``, ``params`` and ``speed``; text → mel may be None.
    """
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for stage, (label, marker) in MARKERS.items():
        points = [(row.params, getattr(row.speed[1].rtf, stage)) for row in rows]
        points = [(size, rtf) for size, rtf in points if rtf is not None]
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
