"""Configurations that load from any working directory."""

import os
from pathlib import Path

import yaml

from espnet_distill.utils.files import write_text


def write_portable(conf: dict, target: Path) -> Path:
    """Write a configuration whose file names (statistics, …) are absolute paths.

    ESPnet writes paths relative to the recipe's folder, which load only from there.

    Returns:
        The absolute path of the configuration.
    """
    write_text(target, yaml.safe_dump(_with_absolute_paths(conf), sort_keys=False))
    return target.absolute()


def _with_absolute_paths(value):
    """Return a copy in which strings that name existing files are absolute paths."""
    if isinstance(value, dict):
        return {key: _with_absolute_paths(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_absolute_paths(item) for item in value]
    is_file = isinstance(value, str) and "/" in value and Path(value).is_file()
    return os.path.abspath(value) if is_file else value
