"""Cases: a valid command with mutated input, run in this process."""

import contextlib
import io
import logging
import random
import shutil
import signal
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from espnet_distill.errors import ConfigError, error_lines

from ..conftest import files
from .commands import COMMANDS, Command
from .mutations import spoil, spoil_option

SECONDS = 120  # limit of the run time, on a busy machine
GOOD = ("0", "2")


class TookTooLong(BaseException):
    """Passes through whatever catches every Exception."""


@dataclass(frozen=True)
class Case:
    """A command with mutated input, and its result.

    Attributes:
        number: Seed and number reproduce the case.
        command: Its name.
        arguments: Joined.
        mutations: Mutations of files and arguments, in words.
        ended: The exit status, or a failure: `traceback`, `hang`, `left` for leftover
            files, `no_message` for exit status 2 without an error message.
        detail: The last line on stderr, the traceback, or the leftover files.
        seconds: Run time.
    """

    number: int
    command: str
    arguments: str
    mutations: str
    ended: str
    detail: str
    seconds: float

    @property
    def is_good(self) -> bool:
        return self.ended in GOOD

    def __str__(self) -> str:
        return (
            f"case {self.number}: {self.command} {self.arguments}\n"
            f"  mutations: {self.mutations}\n  ended: {self.ended}: {self.detail}"
        )


def run_case(world: Path, place: Path, seed: int, number: int) -> Case:
    """Copy a folder of valid things to a place, spoil some, and run a command there."""
    rng = random.Random(f"{seed}/{number}")
    (command,) = rng.choices(COMMANDS, [item.weight for item in COMMANDS])
    with _copied(world, place):
        arguments = list(command.arguments)
        done = _spoil_some(command, arguments, rng)
        return _run_here(command, arguments, number, done)


def run_whole(world: Path, place: Path, number: int) -> Case:
    """Run a command of COMMANDS with valid input."""
    command = COMMANDS[number]
    with _copied(world, place):
        return _run_here(command, list(command.arguments), number, {})


@contextlib.contextmanager
def _copied(world: Path, place: Path) -> Iterator[None]:
    """Work in a copy of a folder."""
    shutil.copytree(world, place, symlinks=True)
    try:
        with contextlib.chdir(place):
            yield
    finally:
        shutil.rmtree(place)


def _spoil_some(command: Command, arguments: list[str], rng: random.Random) -> dict:
    """Spoil a file or two of a command, or its arguments; return how, by what."""
    done = {}
    for _ in range(rng.choice((1, 1, 1, 2))):
        path = _drawn(command, rng)
        if rng.random() < 0.15:
            done["arguments"] = spoil_option(arguments, rng)
        elif path not in done:
            done[path] = spoil(path, rng)
    return done


def _run_here(command: Command, arguments: list[str], number: int, done: dict) -> Case:
    before, start = files(Path()), time.monotonic()
    ended, detail = _run(command, arguments)
    seconds = time.monotonic() - start
    made = sorted(set(files(Path())) - set(before))
    left = [path for path in made if _may_not_stay(path, command, ended)]
    if ended in GOOD and left:
        ended, detail = "left", f"{', '.join(left)} after {ended}: {detail}"
    words, mutations = " ".join(arguments), "; ".join(done.values())
    return Case(number, command.name, words, mutations, ended, detail, seconds)


def _may_not_stay(path: str, command: Command, ended: str) -> bool:
    """Return True for a leftover file: a partial one, or one of a refused command."""
    is_part = any(name.startswith(".") for name in Path(path).parts)
    return is_part or (ended == "2" and not path.startswith(command.leaves or "\0"))


def _drawn(command: Command, rng: random.Random) -> Path:
    pattern = rng.choice(command.files)
    return rng.choice(sorted(Path().glob(pattern)) or [Path(pattern)])


def _run(command: Command, arguments: list[str]) -> tuple[str, str]:
    """Return the attributes `ended` and `detail` of a case."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
        _without_handlers(),
        _limit(SECONDS),
    ):
        warnings.simplefilter("ignore")
        try:
            status = command.run(arguments)
        except TookTooLong:
            return "hang", f"not done after {SECONDS} s"
        except SystemExit as error:
            status = error.code
        except ConfigError as error:  # what `python -m espnet_distill` prints
            print(
                *(f"error: {line}" for line in error_lines(error)), file=err, sep="\n"
            )
            status = 2
        except BaseException:
            return "traceback", traceback.format_exc()
    stderr = err.getvalue()
    if "Traceback" in stderr:
        return "traceback", stderr
    last = stderr.strip().splitlines()[-1:] or [""]
    if status == 2 and "error: " not in stderr:
        return "no_message", last[0]
    return str(status), last[0]


@contextlib.contextmanager
def _without_handlers():
    """Let a program set up its logging anew, on the stderr of its own case."""
    before = logging.root.handlers[:]
    logging.root.handlers.clear()
    try:
        yield
    finally:
        logging.root.handlers[:] = before


@contextlib.contextmanager
def _limit(seconds: int):
    def stop(*_):
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def counts(cases: Iterable[Case]) -> str:
    """A Markdown table: a command a line, how often its cases ended how."""
    cases = list(cases)
    ends = [*GOOD, *sorted({case.ended for case in cases} - set(GOOD))]
    found = Counter((case.command, case.ended) for case in cases)
    lines = [f"| command | {' | '.join(ends)} |", "|---" * (len(ends) + 1) + "|"]
    for name in dict.fromkeys(item.name for item in COMMANDS):
        row = [str(found[name, end]) for end in ends]
        lines.append(f"| `{name}` | {' | '.join(row)} |")
    whole = Counter(case.ended for case in cases)
    lines.append(f"| all | {' | '.join(str(whole[end]) for end in ends)} |")
    return "\n".join(lines)
