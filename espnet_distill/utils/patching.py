"""Replace names of a module for a while."""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def patched(module, **replacements) -> Iterator[None]:
    """Put other things under a module's names for the time being."""
    originals = {name: getattr(module, name) for name in replacements}
    for name, replacement in replacements.items():
        setattr(module, name, replacement)
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(module, name, original)
