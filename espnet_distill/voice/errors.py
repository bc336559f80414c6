"""ConfigError, the exception for invalid input, and what a message says of it."""

import difflib
import sys
from collections.abc import Iterable


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
