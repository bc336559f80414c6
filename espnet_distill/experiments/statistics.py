"""Validate the statistics of ESPnet's GlobalMVN, which normalize features."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from espnet_distill.errors import ConfigError, ErrorCollector, summarize
from espnet_distill.experiments.config import STATISTICS
from espnet_distill.utils.validation import require_finite

if TYPE_CHECKING:  # commands import this module before they parse their arguments
    import numpy as np

NORMALIZERS = ("normalize", "pitch_normalize", "energy_normalize")


def statistics_files(conf: Mapping) -> dict[str, Path]:
    """Return the statistics files that a configuration names: feats, pitch, energy."""
    sections = {kind: conf.get(key) or {} for key, kind in STATISTICS.items()}
    return {
        kind: Path(section["stats_file"])
        for kind, section in sections.items()
        if section.get("stats_file")
    }


def applied_statistics(normalize) -> tuple:
    """Return mean and deviation (C,) that a GlobalMVN applies: 0 and 1 where it has none."""
    mean, std = normalize.mean.float(), normalize.std.float()
    return (
        mean if normalize.norm_means else mean.new_zeros(mean.shape),
        std if normalize.norm_vars else std.new_ones(std.shape),
    )


REMEDY = "collect the statistics again (stage 6 of tts.sh)"


def require_statistics(conf: Mapping, whose: str = "") -> None:
    """Raise a ConfigError if a configuration names invalid statistics files.

    Args:
        conf: An experiment's configuration, or the arguments of a training.
        whose: A prefix of each line.

    Raises:
        ConfigError: A file is missing or unreadable, has values that are not finite, or
            a count or variance that is not positive.
    """
    with ErrorCollector() as faults:
        for key in NORMALIZERS:
            section = conf.get(f"{key}_conf")
            is_mapping = isinstance(section, Mapping)
            path = section.get("stats_file") if is_mapping else None
            if conf.get(key) == "global_mvn" and isinstance(path, str | Path):
                where = f"{whose}{key}_conf.stats_file: "
                faults.check(require_usable, Path(path), where=where)


def require_usable(path: Path) -> None:
    """Raise a ConfigError if one statistics file is invalid."""
    import numpy as np

    count, total, squares = _read(path)
    numbers = {"count": count, "sum": total, "sum_square": squares}
    require_finite(numbers, str(path), REMEDY)
    if not (count > 0).all():
        raise ConfigError(f"{path}: a count of {count.min():g} frames; {REMEDY}")
    mean = total / count
    constant = np.flatnonzero(squares / count - mean * mean <= 0)
    if len(constant):
        raise ConfigError(
            f"{path}: the variance of dimension {constant[0]} is not above 0, so that "
            f"the feature cannot be normalized; {REMEDY}, on features that vary"
        )


def _read(path: Path) -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
    """Return count, sum and sum of squares, from either format of GlobalMVN.

    Shapes: (1,) or (), (features,), (features,).
    """
    import numpy as np

    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    try:
        stats = np.load(path, allow_pickle=False)
        if isinstance(stats, np.ndarray):  # the format of Kaldi
            values = stats[0].flatten()[-1], stats[0, :-1], stats[1, :-1]
        else:
            with stats:
                values = stats["count"], stats["sum"], stats["sum_square"]
        count, total, squares = map(np.asarray, values)
        if count.size != 1:
            raise ValueError(f"a count of shape {count.shape}")
        if total.shape != squares.shape:
            raise ValueError(f"sums of shapes {total.shape} and {squares.shape}")
        if not all(np.issubdtype(x.dtype, np.number) for x in (count, total, squares)):
            raise ValueError("no numbers")
    except Exception as error:  # zip, NumPy and I/O errors differ in class
        raise ConfigError(
            f"{path}: not statistics of features ({summarize(error, 100)}); {REMEDY}"
        ) from error
    return count, total, squares
