"""Suppress messages of imported packages."""

import contextlib
import io
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def stderr_suppressed() -> Iterator[None]:
    """Suppress warnings and stderr, as of ESPnet's imports (NLTK, pyworld)."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
