"""Validate texts before synthesis, for `espnet-distill check-text`."""

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from espnet_distill.errors import ConfigError, ErrorCollector
from espnet_distill.utils.files import read_text, require_file_name

MOST = 10  # line numbers that a message lists


def require_new_text(path: Path, recorded: Collection[str]) -> None:
    """Check that a text file can be synthesized and added to recordings.

    Args:
        path: A file of ``<utterance> <words>`` lines.
        recorded: The utterance ids of the recordings.

    Raises:
        ConfigError: Lines are invalid; one line per kind of error, with line numbers.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    lines = read_text(path).split("\n")
    if lines[-1] == "":
        lines.pop()
    if not lines:
        raise ConfigError(f"{path}: is empty; give lines of <utterance> <words>")
    invalid: dict[str, list[int]] = {}
    earlier: set[str] = set()
    for number, line in enumerate(lines, 1):
        if fault := _fault_of(line, earlier, recorded):
            invalid.setdefault(fault, []).append(number)
        earlier.update(line.split()[:1])
    with ErrorCollector() as faults:
        faults.lines += [
            f"{path}: {_format_lines(numbers)}: {fault}"
            for fault, numbers in invalid.items()
        ]


def _fault_of(
    line: str, earlier: Collection[str], recorded: Collection[str]
) -> str | None:
    key, *words = line.split(maxsplit=1) or [""]
    if not key:
        return "blank; remove it"
    if line[0].isspace():
        return "begins with a blank; remove it"
    if not words:
        return f"{key!r}: an id without words; add them, or remove the line"
    if re.split(r"[ \t]", line, maxsplit=1)[0] != key:
        return f"{key!r}: ends with a blank that is neither space nor tab"
    if key in earlier:
        return f"{key!r}: an earlier line has this id; make it unique"
    if key in recorded:
        return f"{key!r}: a recording has this id; rename it"
    try:
        require_file_name(key, "utterance")
    except ConfigError as error:
        return str(error)
    return None


def _format_lines(numbers: list[int]) -> str:
    more = ", ..." if len(numbers) > MOST else ""
    return f"line {', '.join(map(str, numbers[:MOST]))}{more}"


def recorded_ids(texts: Iterable[Path]) -> set[str]:
    """Return the utterance ids of several ``text`` files.

    Raises:
        ConfigError: An id is not a valid file name, which its speech is stored under.
    """
    ids = set()
    for path in texts:
        for number, line in enumerate(read_text(path).split("\n"), 1):
            for key in line.split(maxsplit=1)[:1]:
                require_file_name(key, f"{path}: line {number}: utterance")
                ids.add(key)
    return ids
