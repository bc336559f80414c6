"""Refuse values of a configuration that are of another kind than the key wants."""

import math
from collections.abc import Callable, Collection

from espnet_distill.errors import ConfigError, ErrorCollector, suggest


def name_or_none(value: str) -> str | None:
    """Take what ESPnet's scripts pass for nothing: an empty word, none or null."""
    return None if value.lower() in ("", "none", "null") else value


def shown(value, most: int = 60) -> str:
    """Return a value as a message quotes it, in one line and not at full length."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}…"


def as_text(value, where: str) -> str:
    """Return text that is not empty.

    Raises:
        ConfigError: Anything else; `where` begins the message.
    """
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where}: expected text, got {shown(value)}")
    return value


def is_number(value) -> bool:
    """Tell a finite number from anything else; true and false are none."""
    is_one = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_one and (isinstance(value, int) or math.isfinite(value))


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
    """Return a list, each item of which passes `of(item, where)`; see `as_text`.

    `what` is how the message calls it.
    """
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{where}: expected {what}, got {shown(value)}")
    for index, item in enumerate(value if of else ()):
        of(item, f"{where}[{index}]")
    return list(value)


def one_of(value, known: Collection[str], where: str) -> str:
    """Return a name that is known; see `as_text` for errors."""
    if not isinstance(value, str) or value not in known:
        raise ConfigError(f"{where}: no {shown(value)}; {suggest(value, known)}")
    return value


def require_known(keys: Collection, known: Collection[str], before: str) -> None:
    """Refuse keys that are not known.

    Raises:
        ConfigError: A line for each of them, `before` and "no key …".
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
    """Refuse values that do not pass the check of their key.

    Args:
        values: Of a mapping. Keys without a check pass.
        kinds: By key, `check(value, where)`, such as `as_number`.
        where: What goes before the key in a message.
        optional: Whether None passes.

    Raises:
        ConfigError: A line for each that does not pass.
    """
    with ErrorCollector() as faults:
        for key, check in kinds.items():
            if key in values and not (optional and values[key] is None):
                faults.check(check, values[key], f"{where}{key}")
