"""A configuration that loads from any folder."""

import os
from pathlib import Path

import yaml


def write_portable(config: Path, target: Path) -> Path:
    """Copy a config.yaml with the files it names (statistics, …) as absolute paths.

    ESPnet writes them relative to the recipe's folder, and finds them only from there.
    Returns the absolute path of the copy.
    """
    conf = yaml.safe_load(config.read_text(encoding="utf-8"))
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f"{target.name}.tmp")
    beside.write_text(
        yaml.safe_dump(_absolute(conf), sort_keys=False), encoding="utf-8"
    )
    os.replace(beside, target)
    return target.absolute()


def _absolute(value):
    if isinstance(value, dict):
        return {key: _absolute(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_absolute(item) for item in value]
    if isinstance(value, str) and "/" in value and Path(value).is_file():
        return os.path.abspath(value)
    return value
