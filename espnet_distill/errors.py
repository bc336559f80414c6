"""The one exception a user sees, and how several faults become one."""

import difflib
import errno
import sys
from collections.abc import Callable, Iterable


class ConfigError(ValueError):
    """Input that cannot work: a line for each fault: the file, the key, the remedy.

    The command line and the runner print them on stderr and exit with status 2.
    """

    def __init__(self, *faults: str):
        super().__init__("\n".join(faults))

    @property
    def faults(self) -> list[str]:
        """The faults, a line each."""
        return str(self).split("\n")


def error_lines(error: ConfigError | OSError) -> list[str]:
    """Return a line for each thing that a user can see to.

    An OSError is a full disk, or a folder that cannot be written to.
    """
    if isinstance(error, ConfigError):
        return error.faults
    where = f"{error.filename}: " if error.filename else ""
    return [f"{where}{error.strerror or summarize(error)}"]


def report_interrupt(program: str) -> int:
    """Say in a line that a program was interrupted; return its exit status, 130."""
    print(f"{program}: interrupted", file=sys.stderr)
    return 130


def is_full_disk(error: OSError) -> bool:
    """Tell whether there was no room for what was to be written."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


INVALID = object()  # stands for what a check could not give


class ErrorCollector:
    """Gathers what checks find, so that all of it is said at once.

    As a context it raises what was found when its block has come to its end.
    """

    def __init__(self):
        self.lines: list[str] = []

    def __enter__(self) -> "ErrorCollector":
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is None:
            self.require_none()

    def check(self, check: Callable, *needed, where: str = ""):
        """Return what a check of what it needs gives.

        Args:
            check: Raises a ConfigError for what is wrong.
            needed: Its arguments; with one that is BROKEN it is left out.
            where: What goes before each of its faults.

        Returns:
            BROKEN if it was left out or found anything.
        """
        if any(value is INVALID for value in needed):
            return INVALID
        try:
            return check(*needed)
        except ConfigError as error:
            self.lines += [where + line for line in error.faults]
            return INVALID

    def require_none(self) -> None:
        """Raise all that was found as one ConfigError."""
        if self.lines:
            raise ConfigError(*dict.fromkeys(self.lines))


def suggest(name, known: Iterable[str]) -> str:
    """Say which names are like one that is unknown, or else all there are."""
    known = list(map(str, known))
    found = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    if found:
        return f"near: {', '.join(found)}"
    return f"there are {', '.join(known)}"


def summarize(error: Exception, most: int = 300) -> str:
    """Return what an exception says, without line breaks, or else its type."""
    return " ".join(str(error).split())[:most] or type(error).__name__
