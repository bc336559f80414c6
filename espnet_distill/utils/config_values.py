"""Checks of the types of configuration values."""

import math
from collections.abc import Callable, Collection

from espnet_distill.errors import ConfigError, ErrorCollector, suggest


def name_or_none(value: str) -> str | None:
    """Return None for an empty word, "none" or "null", as ESPnet's scripts pass it."""
    return None if value.lower() in ("", "none", "null") else value


def shown(value, most: int = 60) -> str:
    """Return a value's repr in one line, cut after ``most`` characters."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}…"


def as_text(value, where: str) -> str:
    """Return a string that is not empty.

    Raises:
        ConfigError: The value is anything else; `where` begins the message.
    """
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where}: expected text, got {shown(value)}")
    return value


def is_number(value) -> bool:
    """Return True for a finite number; booleans are not numbers."""
    is_numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_numeric and (isinstance(value, int) or math.isfinite(value))


def as_number(value, where: str, least: float = -math.inf) -> float:
    """Return a finite number, of at least `least`; see `as_text` for errors."""
    if not is_number(value) or value < least:
        at_least = f" of at least {least:g}" if least > -math.inf else ""
        raise ConfigError(f"{where}: expected a number{at_least}, got {shown(value)}")
    return value


def as_whole(value, where: str, least: int | None = None) -> int:
    """Return a whole number, of at least `least`; see `as_text` for errors."""
    if not is_number(value) or value != int(value) or (least or value) > value:
        at_least = "" if least is None else f" of at least {least}"
        raise ConfigError(
            f"{where}: expected a whole number{at_least}, got {shown(value)}"
        )
    return int(value)


def as_mapping(value, where: str) -> dict:
    """Return a mapping whose keys are text; see `as_text` for errors."""
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: expected keys and values, got {shown(value)}")
    for key in value:
        if not isinstance(key, str):
            raise ConfigError(f"{where}: the key {shown(key)} is no text; quote it")
    return value


def as_list(
    value, where: str, of: Callable | None = None, what: str = "a list"
) -> list:
    """Return a list whose items pass a check; see `as_text` for errors.

    Args:
        value: A list or a tuple.
        where: A prefix of the message.
        of: `of(item, where)`, which raises a ConfigError for an invalid item.
        what: The expected value, for the message.
    """
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{where}: expected {what}, got {shown(value)}")
    for index, item in enumerate(value if of else ()):
        of(item, f"{where}[{index}]")
    return list(value)


def one_of(value, known: Collection[str], where: str) -> str:
    """Return one of the known names; see `as_text` for errors."""
    if not isinstance(value, str) or value not in known:
        raise ConfigError(f"{where}: no {shown(value)}; {suggest(value, known)}")
    return value


def require_known(keys: Collection, known: Collection[str], before: str) -> None:
    """Raise a ConfigError if there are unknown keys.

    Args:
        keys: The keys of a mapping.
        known: The valid keys.
        before: A prefix of each line.

    Raises:
        ConfigError: Keys are unknown; one line per key, with similar names.
    """
    with ErrorCollector() as faults:
        faults.lines += [
            f"{before}no key {shown(key)}; {suggest(key, known)}"
            for key in keys
            if key not in known
        ]


def require_values(
    values: dict, kinds: dict[str, Callable], where: str, optional: bool = True
) -> None:
    """Raise a ConfigError if values do not pass the checks of their keys.

    Args:
        values: A mapping; keys without a check pass.
        kinds: Key → `check(value, where)`, such as `as_number`.
        where: A prefix of the key in each line.
        optional: Whether None passes every check.

    Raises:
        ConfigError: Values are invalid; one line per value.
    """
    with ErrorCollector() as faults:
        for key, check in kinds.items():
            if key in values and not (optional and values[key] is None):
                faults.check(check, values[key], f"{where}{key}")
