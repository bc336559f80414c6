"""Replace attributes of a module temporarily."""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def patched(module, **replacements) -> Iterator[None]:
    """Replace attributes of a module during a block.

    Args:
        module: The module.
        replacements: Attribute name → value.
    """
    originals = {name: getattr(module, name) for name in replacements}
    for name, replacement in replacements.items():
        setattr(module, name, replacement)
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(module, name, original)
