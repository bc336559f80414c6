"""Options of `{type: prune, …}`, validated as far as possible without a model."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from espnet_distill.errors import INVALID, ConfigError, ErrorCollector
from espnet_distill.pruning.allocation.unit_counts import require_pressure
from espnet_distill.pruning.criteria.registry import CRITERIA
from espnet_distill.pruning.schedule import Schedule
from espnet_distill.utils.config_values import as_list, as_text, require_known

GRANULARITIES = ("structured", "layers", "unstructured")


SCOPES = ("layer", "global")


GATES = "gates"


PRUNE_ALSO = ("heads", "residual")


@dataclass(frozen=True)
class PruneOptions:
    """The keys of a pruning callback.

    Attributes:
        pressure: Target parameter sparsity of the model; a pattern implies it.
        granularity: ``structured``: units; ``layers``: residual layers;
            ``unstructured``: single weights.
        pattern: Of weights, "n:m": n of each m consecutive weights of an input stay.
        criterion: Importance criterion, a name in CRITERIA; or ``gates``, learned
            during training.
        scope: ``layer``: every layer loses the same fraction; ``global``: the units of
            least importance in the whole model are pruned.
        schedule, start, end, interval, unit: See ``Schedule``.
        floor: Smallest fraction of its units that each layer keeps.
        exclude: Patterns of parameter names that are not pruned.
        prune_also: Groups that structured pruning spares by default: ``heads``,
            ``residual``.
        stock_compatible: Whether the compacted model must be a stock configuration.
        merge: Whether pruned units are merged into kept ones.
    """

    pressure: float | None = None
    granularity: str = "structured"
    pattern: str | None = None
    criterion: str = "magnitude"
    scope: str = "layer"
    schedule: str = "cubic"
    start: int = 0
    end: int | None = None
    interval: int | None = None
    unit: str = "step"
    floor: float = 0.0
    exclude: Sequence[str] = ()
    prune_also: Sequence[str] = ()
    stock_compatible: bool = False
    merge: bool = False

    @classmethod
    def of(cls, conf: Mapping) -> "PruneOptions":
        """Build options from a mapping without ``type``."""
        known = [field.name for field in fields(cls)]
        with ErrorCollector() as errors:
            errors.check(require_known, conf, known, "")
            options = {key: value for key, value in conf.items() if key in known}
            built = errors.check(lambda: cls(**options))
        return built

    def __post_init__(self):
        """Raise a ConfigError that names each invalid key."""
        with ErrorCollector() as errors:
            for key, known in (
                ("granularity", GRANULARITIES),
                ("criterion", (*CRITERIA, GATES)),
                ("scope", SCOPES),
            ):
                errors.check(_require_one_of, key, getattr(self, key), known)
            errors.check(_require_patterns, self.exclude)
            errors.check(_require_prune_also, self.prune_also)
            errors.check(_require_bool, "stock_compatible", self.stock_compatible)
            errors.check(_require_bool, "merge", self.merge)
            errors.check(require_pressure, self.floor, "floor")
            errors.check(self._require_pressure_or_pattern)
            is_consistent = errors.lines or errors.check(self._require_consistent)
            if is_consistent is not INVALID:
                errors.check(lambda: self.timetable)

    def _require_pressure_or_pattern(self) -> None:
        if self.pressure is not None:
            require_pressure(self.pressure)
        elif self.pattern is None:
            raise ConfigError(
                "pressure: missing; give the share of parameters to remove, e.g. 0.5"
            )

    def _require_consistent(self) -> None:
        """Refuse keys that contradict each other or have no effect together."""
        if self.granularity != "structured":
            for key in ("prune_also", "stock_compatible", "merge"):
                if getattr(self, key):
                    raise ConfigError(
                        f"{key}: requires granularity: structured; leave it out"
                    )
        if self.stock_compatible:
            self._require_stock_sizes()
        if self.criterion == GATES:
            self._require_gates_apply()
        if self.merge and self.unit != "step":
            raise ConfigError("merge: requires unit: step")
        if self.pattern is None:
            return
        if isinstance(self.pattern, int):
            raise ConfigError(
                f'pattern: {self.pattern} is a number to YAML; put it in quotes, "2:4"'
            )
        match = re.fullmatch(r"(\d+):(\d+)", str(self.pattern))
        if not match or not 0 < int(match[1]) < int(match[2]):
            raise ConfigError(
                f"pattern: {self.pattern!r} is not n:m with 0 < n < m, such as 2:4"
            )
        if self.granularity != "unstructured":
            raise ConfigError(
                "pattern: requires granularity: unstructured; leave it out"
            )
        for key, plain in (("floor", 0), ("scope", "layer")):
            if getattr(self, key) != plain:
                raise ConfigError(f"{key}: has no effect with a pattern; leave it out")

    def _require_stock_sizes(self) -> None:
        """Refuse options that no stock configuration can express."""
        if self.scope == "global":
            raise ConfigError("scope: stock layers have equal sizes; use layer")
        if "heads" in self.prune_also:
            raise ConfigError(
                "prune_also: stock heads span the residual width; leave heads out"
            )

    def _require_gates_apply(self) -> None:
        """Refuse options that gates do not support."""
        if self.granularity != "structured":
            raise ConfigError("criterion: gates requires granularity: structured")
        if self.schedule == "one_shot":
            raise ConfigError(
                "schedule: gates are trained until the end; use cubic or linear"
            )
        if self.merge:
            raise ConfigError("merge: gates do not support it; leave it out")
        if "residual" in self.prune_also:
            raise ConfigError("prune_also: gates do not support residual; leave it out")

    @property
    def timetable(self) -> Schedule:
        """The schedule of these options."""
        return Schedule(self.schedule, self.start, self.end, self.interval, self.unit)

    @property
    def of_each(self) -> tuple[int, int] | None:
        """(n, m) of the pattern "n:m", or None."""
        if self.pattern is None:
            return None
        stay, of = self.pattern.split(":")
        return int(stay), int(of)


def _require_one_of(key: str, value, known) -> None:
    if value not in list(known):
        raise ConfigError(f"{key}: no {value!r}; there are {', '.join(known)}")


def _require_patterns(names) -> None:
    as_list(names, "exclude", of=as_text)


def _require_prune_also(names) -> None:
    as_list(names, "prune_also")
    for name in names:
        _require_one_of("prune_also", name, PRUNE_ALSO)


def _require_bool(key: str, value) -> None:
    if not isinstance(value, bool):
        raise ConfigError(f"{key}: {value!r} is neither true nor false")
