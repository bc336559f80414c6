"""A configuration that loads from any folder."""

import os
from collections.abc import Callable
from pathlib import Path

import yaml

from espnet_distill.files import read_yaml, write_text


def write_portable(conf: dict, target: Path) -> Path:
    """Write a configuration with the files it names (statistics, …) as absolute paths.

    ESPnet writes them relative to the recipe's folder, and finds them only from there.
    Returns the absolute path of what was written.
    """
    write_text(target, yaml.safe_dump(_with_paths(conf, _absolute), sort_keys=False))
    return target.absolute()


def write_moved(config: Path, old: Path, new: Path) -> None:
    """Write a configuration anew whose files move from one folder to another."""

    def moved(value: str) -> str:
        path = Path(value)
        return str(new / path.relative_to(old)) if path.is_relative_to(old) else value

    conf = _with_paths(read_yaml(config), moved)
    write_text(config, yaml.safe_dump(conf, sort_keys=False))


def _absolute(value: str) -> str:
    is_file = "/" in value and Path(value).is_file()
    return os.path.abspath(value) if is_file else value


def _with_paths(value, change: Callable[[str], str]):
    """Return a configuration whose texts, at any depth, are changed."""
    if isinstance(value, dict):
        return {key: _with_paths(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_paths(item, change) for item in value]
    return change(value) if isinstance(value, str) else value
