"""ConfigError with its helpers, and ErrorCollector, which joins several errors.

ConfigError is defined where the runtime needs it, in :mod:`espnet_distill.voice`.
"""

import errno
from collections.abc import Callable

from espnet_distill.voice.errors import (
    ConfigError,
    error_lines,
    near_names,
    report_interrupt,
    suggest,
    summarize,
)

__all__ = [
    "INVALID",
    "ConfigError",
    "ErrorCollector",
    "error_lines",
    "is_full_disk",
    "near_names",
    "report_interrupt",
    "suggest",
    "summarize",
]


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
