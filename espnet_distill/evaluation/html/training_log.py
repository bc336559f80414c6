"""What ESPnet's trainer has logged: losses and shares over batches."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# "1epoch:train:1-12batch: loss=3.9, …" and "1epoch results: [train] loss=2.3, …, …"
INTERVAL = re.compile(r"INFO: (\d+)epoch:train:(\d+)-(\d+)batch: (.*)")


RESULTS = re.compile(r"INFO: (\d+)epoch results: (.*)")


PART = re.compile(r"\[(\w+)\] ([^\[]*)")


# A comma is lost now and then: "sparsity=0.000e+00sparsity_tts.encoder=0.1"
VALUE = re.compile(r"([A-Za-z_][\w.]*)=(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)")


Points = list[tuple[int, float]]


@dataclass
class TrainingLog:
    """Measures over the batches that were trained on.

    Attributes:
        folder: Where the log is.
        train: Points of each measure, a mean over some batches each.
        valid: Points of each measure, one a validation.
        epochs: By number of the epoch, how many batches there were till its end.
    """

    folder: Path
    train: dict[str, Points] = field(default_factory=dict)
    valid: dict[str, Points] = field(default_factory=dict)
    epochs: dict[int, int] = field(default_factory=dict)

    @property
    def batches(self) -> int:
        return max(self.epochs.values(), default=0)

    def measures(self) -> list[str]:
        """Names of losses and of what else objectives report, the whole loss first."""
        names = [
            name
            for name in {**self.train, **self.valid}
            if name == "loss" or name.endswith("_loss") or name.startswith("distill_")
        ]
        return sorted(names, key=lambda name: name != "loss")

    def shares(self) -> dict[str, Points]:
        """How much was gone, of the whole model first and then of each part pruned."""
        return {
            name: points
            for name, points in self.train.items()
            if name == "sparsity" or name.startswith("sparsity_")
        }


def read_training_log(folder: Path) -> TrainingLog | None:
    """Read the logs of a training, the oldest first; None if nothing is in them.

    ESPnet's launcher calls them train.log and, of runs that were resumed, train.1.log
    and on, the oldest last.
    """
    training = TrainingLog(folder)
    means: dict[str, Points] = {}
    for line in _lines(folder):
        if found := INTERVAL.search(line):
            epoch, first, last = map(int, found.groups()[:3])
            before = training.epochs.get(epoch - 1, 0)
            if first == 1:
                _forget(training, means, epoch, before)
            _add(training.train, before + last, found[4])
        elif found := RESULTS.search(line):
            parts = dict(PART.findall(found[2]))
            batches = dict(VALUE.findall(parts.get("train", ""))).get("total_count")
            if batches is not None:
                training.epochs[int(found[1])] = int(float(batches))
                _add(means, training.batches, parts["train"])
                _add(training.valid, training.batches, parts.get("valid", ""))
    training.train = means | training.train
    return training if training.epochs else None


def _lines(folder: Path) -> Iterator[str]:
    older = [
        (int(path.suffixes[0][1:]), path)
        for path in folder.glob("train.*.log")
        if path.suffixes[0][1:].isdecimal()
    ]
    files = [path for _, path in sorted(older, reverse=True)] + [folder / "train.log"]
    for path in files:
        if path.is_file():
            with path.open(encoding="utf-8", errors="replace") as file:
                yield from file


def _forget(training: TrainingLog, means: dict, epoch: int, before: int) -> None:
    """Drop what an earlier run had logged of this epoch and of any after it."""
    training.epochs = {n: at for n, at in training.epochs.items() if n < epoch}
    for curves in (training.train, training.valid, means):
        for name, points in curves.items():
            curves[name] = [point for point in points if point[0] <= before]


def _add(curves: dict[str, Points], at: int, text: str) -> None:
    for name, value in VALUE.findall(text):
        curves.setdefault(name, []).append((at, float(value)))
