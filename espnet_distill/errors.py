"""ConfigError, the exception for invalid input, and helpers that collect errors."""

import difflib
import errno
import sys
from collections.abc import Callable, Iterable


class ConfigError(ValueError):
    """Invalid input: one line per error, which names the file, the key and the remedy.

    The command line and ``python3 -m espnet_distill`` print the lines on stderr and
    exit with status 2.
    """

    def __init__(self, *faults: str):
        super().__init__("\n".join(faults))

    @property
    def faults(self) -> list[str]:
        """The lines of the message, one per error."""
        return str(self).split("\n")


def error_lines(error: ConfigError | OSError) -> list[str]:
    """Return the lines that describe an error to the user.

    An OSError stands for a full disk or a folder that is not writable.
    """
    if isinstance(error, ConfigError):
        return error.faults
    where = f"{error.filename}: " if error.filename else ""
    return [f"{where}{error.strerror or summarize(error)}"]


def report_interrupt(program: str) -> int:
    """Print that a program was interrupted; return its exit status, 130."""
    print(f"{program}: interrupted", file=sys.stderr)
    return 130


def is_full_disk(error: OSError) -> bool:
    """Return True if an error means that the disk or the quota is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


INVALID = object()  # the result of a check that failed or was skipped


class ErrorCollector:
    """Collects the errors of several checks, to raise them as one ConfigError.

    As a context manager, it raises the collected errors at the end of its block.

    Attributes:
        lines: The lines of the errors collected so far.
    """

    def __init__(self):
        self.lines: list[str] = []

    def __enter__(self) -> "ErrorCollector":
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is None:
            self.require_none()

    def check(self, check: Callable, *needed, where: str = ""):
        """Call a check, and collect the lines of the ConfigError that it raises.

        Args:
            check: A function that raises a ConfigError for invalid input.
            needed: Its arguments; if one of them is INVALID, the check is skipped.
            where: A prefix of each line.

        Returns:
            The result of the check; INVALID if it failed or was skipped.
        """
        if any(value is INVALID for value in needed):
            return INVALID
        try:
            return check(*needed)
        except ConfigError as error:
            self.lines += [where + line for line in error.faults]
            return INVALID

    def require_none(self) -> None:
        """Raise one ConfigError with all collected lines, if there are any."""
        if self.lines:
            raise ConfigError(*dict.fromkeys(self.lines))


def near_names(
    name, known: Iterable[str], most: int = 3, cutoff: float = 0.3
) -> list[str]:
    """Return the known names that are similar to a name, the most similar first.

    A longer known name is as similar as its beginning.

    Args:
        name: The unknown name.
        known: The known names.
        most: The maximum number of names.
        cutoff: The minimum similarity of difflib, in [0, 1].
    """
    ranked = sorted((_similarity(str(name), one), one) for one in set(known))
    return [one for (rank, _), one in reversed(ranked) if rank >= cutoff][:most]


def _similarity(name: str, known: str) -> tuple[float, float]:
    """Return the similarity of a name to the beginning of another, and to all of it."""
    matcher = difflib.SequenceMatcher(b=name)
    ratios = []
    for text in (known, known[: len(name)]):
        matcher.set_seq1(text)
        ratios.append(matcher.ratio())
    return max(ratios), ratios[0]


def suggest(name, known: Iterable[str]) -> str:
    """Return a hint with the known names closest to an unknown one, or all of them."""
    known = list(map(str, known))
    if close := near_names(name, known, cutoff=0.5):
        return f"near: {', '.join(close)}"
    return f"there are {', '.join(known)}"


def summarize(error: Exception, most: int = 300) -> str:
    """Return the message of an exception in one line, or its type if it has none.

    Args:
        error: The exception.
        most: The maximum number of characters.
    """
    return " ".join(str(error).split())[:most] or type(error).__name__
