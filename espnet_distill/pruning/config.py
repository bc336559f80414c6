"""What `{type: prune, …}` says, checked as far as no model is needed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from espnet_distill.errors import INVALID, ConfigError, ErrorCollector
from espnet_distill.pruning.allocation.unit_counts import require_pressure
from espnet_distill.pruning.criteria.registry import CRITERIA
from espnet_distill.pruning.schedule import Schedule
from espnet_distill.utils.config_values import as_list, as_text, require_known

TARGETS = ("neurons", "weights", "layers")


SCOPES = ("layer", "global")


GATES = "gates"


INCLUDES = ("heads", "residual")


@dataclass(frozen=True)
class Options:
    """The keys of a pruning callback.

    Attributes:
        pressure: Share of the model's parameters that are gone at the end; a pattern
            says it by itself.
        what: ``neurons``, ``weights`` or ``layers``.
        pattern: Of weights, "n:m": of each m in a row along a weight's input n stay.
        criterion: Which go first, a name in CRITERIA; or ``gates``, learnt on the way.
        scope: Whether each layer loses as much as any other (``layer``), or whatever
            matters least in the whole model goes (``global``).
        schedule, start, end, interval, unit: As ``Schedule`` takes them.
        floor: Share that each layer keeps at least.
        exclude: Patterns of names of parameters to leave alone.
        include: What neurons leave alone unless named here: ``heads``, ``residual``.
        stock: Whether a stock configuration is to say what is left of the neurons.
        merge: Whether neurons that go are folded into those that stay.
    """

    pressure: float | None = None
    what: str = "neurons"
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
    include: Sequence[str] = ()
    stock: bool = False
    merge: bool = False

    @classmethod
    def of(cls, conf: Mapping) -> "Options":
        """Read a mapping, without its ``type``."""
        known = [field.name for field in fields(cls)]
        with ErrorCollector() as faults:
            faults.check(require_known, conf, known, "")
            said = {key: value for key, value in conf.items() if key in known}
            options = faults.check(lambda: cls(**said))
        return options

    def __post_init__(self):
        """Raise a ConfigError that names the key of each thing that cannot be."""
        with ErrorCollector() as faults:
            for key, known in (
                ("what", TARGETS),
                ("criterion", (*CRITERIA, GATES)),
                ("scope", SCOPES),
            ):
                faults.check(_require_one_of, key, getattr(self, key), known)
            faults.check(_require_patterns, self.exclude)
            faults.check(_require_includes, self.include)
            faults.check(_require_bool, "stock", self.stock)
            faults.check(_require_bool, "merge", self.merge)
            faults.check(require_pressure, self.floor, "floor")
            faults.check(self._require_share)
            has_sense = faults.lines or faults.check(self._require_sense)
            if has_sense is not INVALID:
                faults.check(lambda: self.timetable)

    def _require_share(self) -> None:
        if self.pressure is not None:
            require_pressure(self.pressure)
        elif self.pattern is None:
            raise ConfigError("pressure: say which share of the parameters is to go")

    def _require_sense(self) -> None:
        """Refuse keys that say nothing beside others."""
        if self.what != "neurons":
            for key in ("include", "stock", "merge"):
                if getattr(self, key):
                    raise ConfigError(f"{key}: is for what: neurons; leave it out")
        if self.stock:
            self._require_equal_sizes()
        if self.criterion == GATES:
            self._require_a_way()
        if self.merge and self.unit != "step":
            raise ConfigError("merge: wants unit: step")
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
        if self.what != "weights":
            raise ConfigError("pattern: is for what: weights; leave it out")
        for key, plain in (("floor", 0), ("scope", "layer")):
            if getattr(self, key) != plain:
                raise ConfigError(f"{key}: a pattern says what stays where; leave out")

    def _require_equal_sizes(self) -> None:
        """Refuse what no stock configuration says."""
        if self.scope == "global":
            raise ConfigError("scope: stock layers have equal sizes; say layer")
        if "heads" in self.include:
            raise ConfigError(
                "include: stock heads are as wide as the residual width; leave heads out"
            )

    def _require_a_way(self) -> None:
        """Refuse what gates cannot do."""
        if self.what != "neurons":
            raise ConfigError("criterion: gates is for what: neurons")
        if self.schedule == "one_shot":
            raise ConfigError("schedule: gates learn on the way; say cubic or linear")
        if self.merge:
            raise ConfigError("merge: gates close what is to go; leave it out")
        if "residual" in self.include:
            raise ConfigError("include: gates leave residual alone; leave it out")

    @property
    def timetable(self) -> Schedule:
        """When what is gone."""
        return Schedule(self.schedule, self.start, self.end, self.interval, self.unit)

    @property
    def of_each(self) -> tuple[int, int] | None:
        """How many stay of how many, where there is a pattern."""
        if self.pattern is None:
            return None
        stay, of = self.pattern.split(":")
        return int(stay), int(of)


def _require_one_of(key: str, value, known) -> None:
    if value not in list(known):
        raise ConfigError(f"{key}: no {value!r}; there are {', '.join(known)}")


def _require_patterns(names) -> None:
    as_list(names, "exclude", of=as_text)


def _require_includes(names) -> None:
    as_list(names, "include")
    for name in names:
        _require_one_of("include", name, INCLUDES)


def _require_bool(key: str, value) -> None:
    if not isinstance(value, bool):
        raise ConfigError(f"{key}: {value!r} is neither true nor false")
