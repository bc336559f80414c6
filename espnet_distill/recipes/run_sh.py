"""Parse the options that a recipe's run.sh passes to tts.sh, without running it."""

import itertools
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from espnet_distill.utils.files import read_text

ASSIGNMENT = re.compile(r"\s*(\w+)=(.*)")


CALL = re.compile(r"\s*(?:bash\s+)?\./tts\.sh\b(.*)")


VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def options_of(run_sh: Path) -> dict[str, str]:
    """Return the options of tts.sh whose values are determined by the text of run.sh.

    A variable with several assignments of different values is unknown, and options that
    depend on it are omitted.

    Raises:
        ConfigError: The file cannot be read.
    """
    if not run_sh.is_file():
        return {}
    lines = read_text(run_sh).replace("\\\n", " ").splitlines()
    variables = _variables(lines)
    words = [
        word
        for line in lines
        if (call := CALL.fullmatch(line))
        for word in _words(call[1], variables)
    ]
    return {
        name.removeprefix("--").replace("-", "_"): value
        for name, value in itertools.pairwise(words)
        if name and name.startswith("--") and value is not None
    }


def _variables(lines: list[str]) -> dict[str, str | None]:
    """Return the values of variables; None for a variable with several values."""
    variables: dict[str, str | None] = {}
    for line in lines:
        if not (match := ASSIGNMENT.fullmatch(line)):
            continue
        value = " ".join(map(str, _split(match[2])))
        first = variables.setdefault(match[1], value)
        variables[match[1]] = value if first == value else None
    return variables


def _words(text: str, variables: Mapping[str, str | None]) -> list[str | None]:
    """Return the words of a call with variables expanded; None for unknown words."""
    words: list[str | None] = []
    for word in _split(text):
        is_variable = VARIABLE.fullmatch(word)
        value = _expand(word, variables)
        if is_variable and value and value.startswith("--"):  # an unquoted ${opts}
            words += value.split()
        else:
            words.append(value)
    return words


def _expand(word: str, variables: Mapping[str, str | None]) -> str | None:
    names = [a or b for a, b in VARIABLE.findall(word)]
    if any(variables.get(name) is None for name in names):
        return None
    value = VARIABLE.sub(lambda match: variables[match[1] or match[2]], word)
    return None if re.search(r"[$`]", value) else value


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:  # a quote that is closed on another line
        return []
