"""Terms that compare a student with its teacher; the keys are their names in YAML."""

import inspect

from espnet_distill.errors import ConfigError
from espnet_distill.objectives.base import Objective
from espnet_distill.objectives.duration import Duration
from espnet_distill.objectives.energy import Energy
from espnet_distill.objectives.hidden import Hidden
from espnet_distill.objectives.mel import Mel
from espnet_distill.objectives.pitch import Pitch

OBJECTIVES: dict[str, type[Objective]] = {
    "mel": Mel,
    "hidden": Hidden,
    "duration": Duration,
    "pitch": Pitch,
    "energy": Energy,
}


def build_objective(conf: dict, where: str = "objectives") -> Objective:
    """Build an objective from its YAML, e.g. `{type: hidden, tap: encoder, weight: 1}`.

    Raises:
        ConfigError: an unknown type or key, a missing key, a weight below 0; the
            message starts with `where`.
    """
    if not isinstance(conf, dict) or "type" not in conf:
        raise ConfigError(f"{where}: expected {{type: …, weight: …}}, got {conf!r}")
    options = dict(conf)
    name = options.pop("type")
    if name not in OBJECTIVES:
        raise ConfigError(f"{where}: no objective {name!r}; there are {_list(OBJECTIVES)}")
    keys = inspect.signature(OBJECTIVES[name]).parameters
    for key in options:
        if key not in keys:
            raise ConfigError(f"{where}: {name} has no key {key!r}; it has {_list(keys)}")
    for key, parameter in keys.items():
        if parameter.default is parameter.empty and key not in options:
            raise ConfigError(f"{where}: {name} needs the key {key!r}")
    options["weight"] = require_weight(options.get("weight", 1.0), f"{where}: {name}.weight")
    return OBJECTIVES[name](**options)


def require_weight(value, where: str) -> float:
    """Return a finite number ≥ 0, or raise a ConfigError that starts with `where`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigError(f"{where}: expected a number, got {value!r}")
    if not 0 <= value < float("inf"):
        raise ConfigError(f"{where}: expected a finite number of at least 0, got {value}")
    return float(value)


def _list(names) -> str:
    return ", ".join(names)
