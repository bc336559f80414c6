"""Parse the logs of ESPnet's trainer: losses and sparsity over batches."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# "1epoch:train:1-12batch: loss=3.9, …" and "1epoch results: [train] loss=2.3, …, …"
INTERVAL = re.compile(r"INFO: (\d+)epoch:train:(\d+)-(\d+)batch: (.*)")


RESULTS = re.compile(r"INFO: (\d+)epoch results: (.*)")


PART = re.compile(r"\[(\w+)\] ([^\[]*)")


# The trainer omits some commas: "sparsity=0.000e+00sparsity_tts.encoder=0.1"
VALUE = re.compile(r"([A-Za-z_][\w.]*)=(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)")


Points = list[tuple[int, float]]


@dataclass
class TrainingLog:
    """Logged quantities over the batches of a training.

    Attributes:
        folder: Folder of the log.
        train: Points of each quantity, means over a range of batches.
        valid: Points of each quantity, one per validation.
        epochs: Number of batches up to the end of each epoch.
    """

    folder: Path
    train: dict[str, Points] = field(default_factory=dict)
    valid: dict[str, Points] = field(default_factory=dict)
    epochs: dict[int, int] = field(default_factory=dict)

    @property
    def batches(self) -> int:
        return max(self.epochs.values(), default=0)

    def losses(self) -> list[str]:
        """Return the names of the losses and objectives, the total loss first."""
        names = [
            name
            for name in {**self.train, **self.valid}
            if name == "loss" or name.endswith("_loss") or name.startswith("distill_")
        ]
        return sorted(names, key=lambda name: name != "loss")

    def sparsities(self) -> dict[str, Points]:
        """Return the sparsity of the model and of each pruned part, over batches."""
        return {
            name: points
            for name, points in self.train.items()
            if name == "sparsity" or name.startswith("sparsity_")
        }


def read_training_log(folder: Path) -> TrainingLog | None:
    """Read the logs of a training, the oldest first; None without a finished epoch.

    ESPnet's launcher names the latest log train.log and those of earlier, resumed runs
    train.1.log, train.2.log, from new to old.
    """
    training = TrainingLog(folder)
    means: dict[str, Points] = {}
    for line in _lines(folder):
        if match := INTERVAL.search(line):
            epoch, first, last = map(int, match.groups()[:3])
            offset = training.epochs.get(epoch - 1, 0)
            if first == 1:
                _drop_epochs(training, means, epoch, offset)
            _add(training.train, offset + last, match[4])
        elif match := RESULTS.search(line):
            parts = dict(PART.findall(match[2]))
            batches = dict(VALUE.findall(parts.get("train", ""))).get("total_count")
            if batches is not None:
                training.epochs[int(match[1])] = int(float(batches))
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


def _drop_epochs(training: TrainingLog, means: dict, epoch: int, offset: int) -> None:
    """Remove an earlier run's points of this epoch and of later ones."""
    training.epochs = {n: at for n, at in training.epochs.items() if n < epoch}
    for curves in (training.train, training.valid, means):
        for name, points in curves.items():
            curves[name] = [point for point in points if point[0] <= offset]


def _add(curves: dict[str, Points], at: int, text: str) -> None:
    for name, value in VALUE.findall(text):
        curves.setdefault(name, []).append((at, float(value)))
