"""Registry of the objectives: YAML names to classes."""

import inspect
from collections.abc import Mapping

from espnet_distill.entry_points import find
from espnet_distill.errors import ConfigError, ErrorCollector
from espnet_distill.objectives.base import Objective
from espnet_distill.objectives.divergence import Attention, Stop
from espnet_distill.objectives.regression import Duration, Energy, Mel, Pitch
from espnet_distill.objectives.representation import Hidden, Relation
from espnet_distill.objectives.waveform import F0, STFT, FreePhase
from espnet_distill.utils.config_values import as_number, is_number, require_known

OBJECTIVES: dict[str, type[Objective]] = {
    "mel": Mel,
    "hidden": Hidden,
    "duration": Duration,
    "pitch": Pitch,
    "energy": Energy,
    "stop": Stop,
    "attention": Attention,
    "relation": Relation,
    "stft": STFT,
    "f0": F0,
    "free_phase": FreePhase,
}


def build_objective(
    conf: dict, where: str = "objectives", temperature: float = 1.0
) -> Objective:
    """Build an objective from its YAML, e.g. `{type: hidden, tap: encoder, weight: 1}`.

    Args:
        conf: `type`, the name of an objective of this package or of another package's
            entry point, and its arguments.
        where: Prefix of error messages.
        temperature: Default for objectives that take a temperature.

    Raises:
        ConfigError: an unknown type or key, a missing key, a weight below 0, a
            temperature that is not above 0.
    """
    if not isinstance(conf, dict) or "type" not in conf:
        raise ConfigError(f"{where}: expected {{type: …, weight: …}}, got {conf!r}")
    options = dict(conf)
    name = options.pop("type")
    kind = find("objectives", name, OBJECTIVES, Objective, where)
    keys = inspect.signature(kind).parameters
    with ErrorCollector() as faults:
        faults.check(require_known, options, keys, f"{where}: {name} has ")
        faults.lines += [
            f"{where}: {name} needs the key {key!r}"
            for key, parameter in keys.items()
            if parameter.default is parameter.empty and key not in options
        ]
        if not isinstance(options.get("tap", ""), str):
            faults.lines.append(
                f"{where}: {name}.tap: expected encoder, decoder or a module's name, "
                f"got {options['tap']!r}"
            )
        options["weight"] = faults.check(
            require_weight, options.get("weight", 1.0), f"{where}: {name}.weight"
        )
        for key in options.keys() & _numbers(keys):
            faults.check(as_number, options[key], f"{where}: {name}.{key}")
        if "temperature" in keys:
            options["temperature"] = faults.check(
                require_temperature,
                options.get("temperature", temperature),
                f"{where}: {name}.temperature",
            )
    return kind(**options)


def require_weight(value, where: str) -> float:
    """Return a finite number ≥ 0, or raise a ConfigError that starts with `where`."""
    if not is_number(value) or value < 0:
        raise ConfigError(
            f"{where}: expected a finite number of at least 0, got {value!r}"
        )
    return float(value)


def require_temperature(value, where: str) -> float:
    """Return a finite number > 0, or raise a ConfigError that starts with `where`."""
    if not is_number(value) or value <= 0:
        raise ConfigError(f"{where}: expected a finite number above 0, got {value!r}")
    return float(value)


def _numbers(parameters: Mapping[str, inspect.Parameter]) -> set[str]:
    """Return the float arguments that have no check of their own."""
    numbers = {
        key for key, parameter in parameters.items() if type(parameter.default) is float
    }
    return numbers - {"weight", "temperature"}
