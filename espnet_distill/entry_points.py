"""Objectives, students and callbacks of other packages, found by their entry points.

The groups are `espnet_distill.objectives`, `espnet_distill.students` and
`espnet_distill.callbacks`; an entry's name is what YAML calls it. Entry points belong
to an installation and not to a process: every one that a training spawns finds them.
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
    """Return what other packages add, by name; none of it is imported.

    Args:
        kind: `objectives`, `students` or `callbacks`.

    Raises:
        ConfigError: Two packages claim a name.
    """
    from importlib.metadata import entry_points  # a tenth of a second

    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=f"espnet_distill.{kind}"):
        if entry.name in found:
            raise taken(entry, found[entry.name].dist.name)
        found[entry.name] = entry
    return found


def find(kind: str, name, own: Mapping[str, type], base: type, where: str) -> type:
    """Return the class of a name, this package's or another's.

    Args:
        kind: As `entries` takes it.
        name: What YAML says.
        own: The classes of this package.
        base: What the class has to be.
        where: What the message starts with if nothing has this name.

    Raises:
        ConfigError: Nothing has this name, or more than one; a class that cannot be
            imported, or is something else.
    """
    others = entries(kind)
    known = [*own, *others]
    if name not in known:
        there = "there is" if len(known) == 1 else "there are"
        raise ConfigError(
            f"{where}: no {kind.removesuffix('s')} {name!r}; {there} {', '.join(known)}"
        )
    if name in own:
        if name in others:
            raise taken(others[name], "espnet_distill")
        return own[name]
    return load(others[name], base)


def load(entry: EntryPoint, base: type) -> type:
    """Import the class that an entry point names.

    Raises:
        ConfigError: It cannot be imported, or is no subclass of `base`.
    """
    try:
        kind = entry.load()
    except Exception as error:
        told = f"{type(error).__name__}: {summarize(error)}"
        raise ConfigError(
            f"{_place(entry)}: cannot import {entry.value}: {told}; repair or "
            f"uninstall {entry.dist.name}"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, base)):
        raise ConfigError(
            f"{_place(entry)}: {entry.value} is no subclass of {base.__name__}"
        )
    return kind


def taken(entry: EntryPoint, owner: str) -> ConfigError:
    """Return what to raise where an entry point claims the name of another's."""
    return ConfigError(
        f"{_place(entry)}: {owner} has that name, too; rename it, or uninstall "
        f"{entry.dist.name}"
    )


def _place(entry: EntryPoint) -> str:
    return f"{entry.dist.name}: entry point {entry.name!r} of {entry.group}"
