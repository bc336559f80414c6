"""What was found once, kept in a folder: a JSON file a result."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from espnet_distill.utils.files import write_text


class DiskCache:
    """Remembers results by everything that they depend on.

    Several processes may share a folder: a result is written whole.
    """

    def __init__(self, folder: Path):
        """Remember in a folder, which is made as it is needed."""
        self._folder = folder

    def __call__(self, compute: Callable, *key: str):
        """Return ``compute()``, which JSON must be able to hold, or what it gave once.

        Args:
            compute: Takes no arguments.
            key: Words that tell this result from any other.
        """
        name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
        path = self._folder / name[:2] / f"{name}.json"
        try:
            return json.loads(path.read_bytes())["result"]
        except (OSError, ValueError, KeyError, TypeError):  # none yet, or truncated
            text = json.dumps({"result": compute()})
        write_text(path, text, flush=False)
        return json.loads(text)["result"]
