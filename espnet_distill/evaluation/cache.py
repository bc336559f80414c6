"""Cache results on disk, one JSON file per result."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from espnet_distill.utils.files import write_text


class DiskCache:
    """Cache of results by the strings that determine them.

    Several processes may share a folder: files are written atomically.
    """

    def __init__(self, folder: Path):
        """Use a folder for the files; it is created when the first one is written."""
        self._folder = folder

    def __call__(self, compute: Callable, *key: str):
        """Return the cached result, or compute and store it.

        Args:
            compute: Function without arguments; its result must be JSON-serializable.
            key: Strings that identify the result.
        """
        name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
        path = self._folder / name[:2] / f"{name}.json"
        try:
            return json.loads(path.read_bytes())["result"]
        except (OSError, ValueError, KeyError, TypeError):  # none yet, or truncated
            text = json.dumps({"result": compute()})
        write_text(path, text, flush=False)
        return json.loads(text)["result"]
