"""Parameters named by patterns."""

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from espnet_distill.errors import ConfigError


def matching(patterns: Iterable[str], names: Iterable[str], key: str) -> set[str]:
    """Return the names that a pattern matches, as file names are matched.

    Raises:
        ConfigError: A pattern that matches none; it begins with ``key`` and says near
            ones.
    """
    names = list(names)
    found = set()
    for pattern in patterns:
        own = {name for name in names if fnmatchcase(name, str(pattern))}
        if not own:
            raise ConfigError(
                f"{key}: {pattern!r} names no parameter; near: {_near(pattern, names)}"
            )
        found |= own
    return found


def _near(pattern: str, names: list[str]) -> str:
    parts = [name.split(".") for name in names]
    modules = {".".join(p[:end]) + ".*" for p in parts for end in range(1, len(p))}
    near = difflib.get_close_matches(str(pattern), [*names, *modules], n=3, cutoff=0.3)
    return ", ".join(near or sorted(modules)[:3] or names[:3])
