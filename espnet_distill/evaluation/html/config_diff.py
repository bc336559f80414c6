"""Compare a student's configuration with its teacher's."""

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

MODEL, TRAINING, DISTILLATION = "Model", "Training", "Distillation and pruning"


OF_THE_MODEL = (
    "bpemodel",
    "cleaner",
    "energy_",
    "feats_extract",
    "g2p",
    "model_conf",
    "non_linguistic_symbols",
    "normalize",
    "odim",
    "pitch_",
    "token_",
    "tts",
    "use_preprocessor",
)


LONGEST, SHOWN = 160, 60  # characters


@dataclass(frozen=True)
class Change:
    """A dotted key with its old and new value; None where it is not set."""

    key: str
    old: str | None
    new: str | None


def changes(old: dict, new: dict, plugin: dict) -> dict[str, list[Change]]:
    """Return the keys that differ between two ESPnet configurations, by topic.

    Args:
        old, new: The configurations.
        plugin: Content of the new one's distill.yaml.
    """
    before, after = dict(_flat(old)), dict(_flat(new))
    keys = sorted(key for key in before | after if before.get(key) != after.get(key))
    differing = [Change(key, before.get(key), after.get(key)) for key in keys]
    groups = {
        MODEL: [one for one in differing if one.key.startswith(OF_THE_MODEL)],
        DISTILLATION: [Change(key, None, value) for key, value in _flat(plugin)],
        TRAINING: [one for one in differing if not one.key.startswith(OF_THE_MODEL)],
    }
    return {title: group for title, group in groups.items() if group}


def shortened(value: str) -> str:
    """Abbreviate a long value in the middle and append its length."""
    if len(value) <= LONGEST:
        return value
    return f"{value[:SHOWN]} … {value[-SHOWN:]} ({len(value):,} characters)"


def _flat(conf: dict, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted keys and their values as YAML, without keys that are null."""
    for key, value in conf.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list) and all(isinstance(one, dict) for one in value):
            for number, one in enumerate(value):
                yield f"{prefix}{key}[{number}]", _yaml(one)
        elif value is not None:
            yield f"{prefix}{key}", _yaml(value)


def _yaml(value) -> str:
    if isinstance(value, str):
        return value
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, width=float("inf")
    )
    return text.removesuffix("\n...\n").strip()
