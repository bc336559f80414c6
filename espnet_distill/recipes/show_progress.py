"""Print the progress and the time left of a recipe's local jobs, from their logs.

    python3 -m espnet_distill.recipes.show_progress --parent PID TITLE=FOLDER ...

follows the logs of each FOLDER (*.log, */log/*.log) that change after the start, and ends
with its parent process PID. It reads the progress bars of this package, the epochs of
ESPnet's trainings and the utterances of ESPnet's data preparation, statistics and
synthesis.
"""

import argparse
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from espnet_distill.utils.parent_watch import end_with_parent

POLL = 5  # seconds
LONGEST = 20  # intervals without a line, if less than 1 % is added
EPOCHS = "epochs"
MOST_BYTES = 1 << 24  # of each log, from its end

BAR = re.compile(r"^([^\r\n%]+?): +\d+%[^\r\n]*? (\d+)/(\d+) \[", re.MULTILINE)
EPOCH = re.compile(r"INFO: (\d+)/(\d+)epoch started")
BATCH = re.compile(r"INFO: (\d+)epoch:train:\d+-(\d+)batch:")
BATCHES = re.compile(r"\[train\] mini-batch sizes summary: N-batch=(\d+)")
EPOCH_SIZE = re.compile(r"^num_iters_per_epoch: (\d+)$", re.MULTILINE)
UTTERANCE = re.compile(r"INFO: (\S+) \(size:")
COUNT = re.compile(r"^(\d+)it \[", re.MULTILINE)
JOB = re.compile(r"(format_wav_scp|stats|tts_inference)\.(\d+)\.log")


@dataclass(frozen=True)
class Progress:
    """How much of a job is done.

    Attributes:
        done: Finished units: utterances, updates or epochs.
        total: Their number.
        label: The part of the job, which may be empty.
        unit: The name of the units, which may be empty.
    """

    done: float
    total: int
    label: str = ""
    unit: str = ""

    def __str__(self) -> str:
        done = f"{self.done:.2f}" if self.unit == EPOCHS else f"{self.done:.0f}"
        return f"{done} of {self.total} {self.unit}".rstrip()


def read_progress(log: Path) -> Progress | None:
    """Return the progress that a log reports, or None."""
    text = _end_of(log).replace("\r", "\n")
    if epochs := EPOCH.findall(text):
        return _epochs(text, *map(int, epochs[-1]), log)
    if bars := BAR.findall(text):
        label, done, total = bars[-1]
        return Progress(int(done), int(total), label)
    if job := JOB.fullmatch(log.name):
        done, tables = UTTERANCES[job[1]](log.parent, job[2], text)
        paths = [log.parent / f"{name}.{job[2]}.scp" for name in tables]
        if all(path.is_file() for path in paths):
            total = sum(len(_end_of(path).splitlines()) for path in paths)
            return Progress(done, total, unit="utterances")
    return None


def _formatted(folder: Path, job: str, text: str) -> tuple[int, list[str]]:
    counts = COUNT.findall(text)
    return int(counts[-1]) if counts else 0, ["wav"]


def _collected(folder: Path, job: str, text: str) -> tuple[int, list[str]]:
    done = folder.glob(f"stats.{job}/*/collect_feats/data_feats/*")
    return len(list(done)), ["train", "valid"]


def _synthesized(folder: Path, job: str, text: str) -> tuple[int, list[str]]:
    return len(set(UTTERANCE.findall(text))), ["keys"]


# From the logs of a program's job: finished utterances, and the tables of all
UTTERANCES = {
    "format_wav_scp": _formatted,
    "stats": _collected,
    "tts_inference": _synthesized,
}


def _end_of(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - MOST_BYTES))
        return file.read().decode("utf-8", errors="replace")


def _epochs(text: str, epoch: int, epochs: int, log: Path) -> Progress:
    """Return a training's progress in epochs, with the batches of the last one."""
    batch = max(
        (int(last) for number, last in BATCH.findall(text) if int(number) == epoch),
        default=0,
    )
    config = log.with_name("config.yaml")
    sizes = EPOCH_SIZE.findall(_end_of(config)) if config.is_file() else []
    sizes = sizes or BATCHES.findall(text)[-1:]
    part = min(1.0, batch / int(sizes[0])) if sizes and int(sizes[0]) else 0.0
    return Progress(epoch - 1 + part, epochs, unit=EPOCHS)


class Follower:
    """The progress of one job, or of a job array, and the lines to print of it.

    Args:
        title: The job.
        folder: The folder of its logs, ``*.log`` or ``*/log/*.log``.
        begin: The time in seconds before which logs are of earlier runs.
        interval: Seconds between two lines, at least.
    """

    def __init__(self, title: str, folder: Path, begin: float, interval: float):
        self.title, self.folder = title, folder
        self.begin, self.interval = begin, interval
        self.read_at = begin  # last change of the logs that were read
        self.first: tuple[float, Progress] | None = None
        self.printed: tuple[float, float] = (0.0, 0.0)  # time, fraction

    def line(self, now: float) -> str | None:
        """Return a line if there is progress to print at a time, otherwise None."""
        paths = (*self.folder.glob("*.log"), *self.folder.glob("*/log/*.log"))
        logs = {path: path.stat().st_mtime for path in paths}
        changed = max(logs.values(), default=0.0)
        if changed <= self.read_at:
            return None
        recent = [log for log, time in logs.items() if time >= self.begin]
        progress = _sum(filter(None, map(read_progress, recent)))
        self.read_at = changed
        if progress is None:
            return None
        if self.first is None or _is_another(self.first[1], progress):
            self.first = changed, progress
            self.printed = now, progress.done / progress.total
            return None
        waited = now - self.printed[0]
        added = progress.done / progress.total - self.printed[1]
        if added <= 0 or waited < self.interval:
            return None
        if added < 0.01 and waited < LONGEST * self.interval:
            return None
        self.printed = now, progress.done / progress.total
        return self._describe(progress, changed, now)

    def _describe(self, progress: Progress, changed: float, now: float) -> str:
        begin, first = self.first
        pace = (changed - begin) / (progress.done - first.done)  # seconds a unit
        left = max(0.0, pace * (progress.total - progress.done) - (now - changed))
        title = f"{self.title}, {progress.label}" if progress.label else self.title
        end = time.localtime(now + left)
        day = "" if end[:3] == time.localtime(now)[:3] else "%a "
        return (
            f"{title}: {progress}, {_duration(left)} left, ends "
            f"{time.strftime(f'{day}%H:%M', end)}"
        )


def _sum(parts) -> Progress | None:
    """Return the progress of a job array from that of its jobs."""
    parts = [part for part in parts if part.total]
    if not parts:
        return None
    labels = {part.label for part in parts}
    return Progress(
        sum(part.done for part in parts),
        sum(part.total for part in parts),
        labels.pop() if len(labels) == 1 else "",
        parts[0].unit,
    )


def _is_another(first: Progress, progress: Progress) -> bool:
    """Return True if the progress is that of another part, or of a job begun anew."""
    of_first = first.label, first.total, first.unit
    of_progress = progress.label, progress.total, progress.unit
    return of_first != of_progress or progress.done < first.done


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return (
        f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
    )


def follow(sources: list[str], interval: float) -> None:
    """Print progress until the parent process ends or nothing reads the output."""
    begin = time.time()
    followers = [
        Follower(title, Path(folder), begin, interval)
        for title, _, folder in (source.partition("=") for source in sources)
    ]
    while True:
        time.sleep(min(POLL, interval))
        for follower in followers:
            try:
                line = follower.line(time.time())
            except (OSError, ValueError):  # a log that is being replaced
                continue
            if line:
                print(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {line}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", metavar="TITLE=FOLDER", nargs="+")
    parser.add_argument("--parent", type=int, required=True, help="process id")
    parser.add_argument("--interval", type=float, default=30.0, help="seconds")
    args = parser.parse_args()
    end_with_parent(args.parent)
    try:
        follow(args.sources, args.interval)
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
