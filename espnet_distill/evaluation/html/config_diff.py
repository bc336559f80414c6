"""What a student's configuration says otherwise than its teacher's."""

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
    """A key, dotted, with its value on both sides; None where it is not set."""

    key: str
    old: str | None
    new: str | None


def changes(old: dict, new: dict, plugin: dict) -> dict[str, list[Change]]:
    """Keys that differ between two ESPnet configurations, by what they are about.

    Args:
        old, new: The configurations.
        plugin: What the new one's distill.yaml says, which ESPnet's has no place for.
    """
    before, after = dict(_flat(old)), dict(_flat(new))
    keys = sorted(key for key in before | after if before.get(key) != after.get(key))
    found = [Change(key, before.get(key), after.get(key)) for key in keys]
    groups = {
        MODEL: [one for one in found if one.key.startswith(OF_THE_MODEL)],
        DISTILLATION: [Change(key, None, value) for key, value in _flat(plugin)],
        TRAINING: [one for one in found if not one.key.startswith(OF_THE_MODEL)],
    }
    return {title: group for title, group in groups.items() if group}


def shortened(value: str) -> str:
    """Leave the middle out of a long value, and say how long it is."""
    if len(value) <= LONGEST:
        return value
    return f"{value[:SHOWN]} … {value[-SHOWN:]} ({len(value):,} characters)"


def _flat(conf: dict, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys and values as YAML, those that are not set left out."""
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
