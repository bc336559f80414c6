"""Load objectives, students and callbacks of other packages by entry points.

The groups are `espnet_distill.objectives`, `espnet_distill.students` and
`espnet_distill.callbacks`; an entry's name is its name in YAML. Entry points belong to
an installation, so every process that a training spawns has them.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping

from espnet_distill.errors import ConfigError, summarize

if typing.TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@functools.cache
def entries(kind: str) -> dict[str, EntryPoint]:
    """Return the entry points of other packages by name, without importing them.

    Args:
        kind: `objectives`, `students` or `callbacks`.

    Raises:
        ConfigError: Two packages claim a name.
    """
    from importlib.metadata import entry_points  # a tenth of a second

    by_name: dict[str, EntryPoint] = {}
    for entry in entry_points(group=f"espnet_distill.{kind}"):
        if entry.name in by_name:
            raise taken(entry, by_name[entry.name].dist.name)
        by_name[entry.name] = entry
    return by_name


def find(kind: str, name, builtin: Mapping[str, type], base: type, where: str) -> type:
    """Return the class with a name, from this package or from an entry point.

    Args:
        kind: `objectives`, `students` or `callbacks`.
        name: The name in YAML.
        builtin: The classes of this package by name.
        base: The required base class.
        where: Prefix of the message for an unknown name.

    Raises:
        ConfigError: The name is unknown or ambiguous, or its class cannot be imported
            or is no subclass of `base`.
    """
    external = entries(kind)
    known = [*builtin, *external]
    if name not in known:
        verb = "is" if len(known) == 1 else "are"
        raise ConfigError(
            f"{where}: no {kind.removesuffix('s')} {name!r}; there {verb} {', '.join(known)}"
        )
    if name in builtin:
        if name in external:
            raise taken(external[name], "espnet_distill")
        return builtin[name]
    return load(external[name], base)


def load(entry: EntryPoint, base: type) -> type:
    """Import the class of an entry point.

    Raises:
        ConfigError: The class cannot be imported, or is no subclass of `base`.
    """
    try:
        kind = entry.load()
    except Exception as error:
        cause = f"{type(error).__name__}: {summarize(error)}"
        raise ConfigError(
            f"{_place(entry)}: cannot import {entry.value}: {cause}; repair or "
            f"uninstall {entry.dist.name}"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, base)):
        raise ConfigError(
            f"{_place(entry)}: {entry.value} is no subclass of {base.__name__}"
        )
    return kind


def taken(entry: EntryPoint, owner: str) -> ConfigError:
    """Return the error for an entry point whose name another package has."""
    return ConfigError(
        f"{_place(entry)}: {owner} has that name, too; rename it, or uninstall "
        f"{entry.dist.name}"
    )


def _place(entry: EntryPoint) -> str:
    return f"{entry.dist.name}: entry point {entry.name!r} of {entry.group}"
