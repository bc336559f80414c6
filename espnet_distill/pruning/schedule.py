"""Pruning schedule: fraction of the final pressure at each step or epoch."""

from dataclasses import dataclass

from espnet_distill.errors import ConfigError

KINDS = ("cubic", "linear", "one_shot")


UNITS = ("step", "epoch")


@dataclass(frozen=True)
class Schedule:
    """Fraction of the final pressure at each step, a function of the step alone.

    Masks are updated from ``start`` to ``end`` every ``interval``, and at ``end``; then
    they stay fixed and the model recovers.

    Attributes:
        kind: ``cubic``: 1 - (1 - x)³, where x rises linearly from 0 at ``start`` to 1
            at ``end`` (Zhu & Gupta, arXiv:1710.01878); ``linear``: x; ``one_shot``: 1
            from ``start`` on.
        start: Beginning of the schedule; the only update of one_shot.
        end: The last update; None for one_shot.
        interval: Steps or epochs between updates; None for one_shot.
        unit: ``step``, of the optimizer, or ``epoch``, from 1.
    """

    kind: str = "cubic"
    start: int = 0
    end: int | None = None
    interval: int | None = None
    unit: str = "step"

    def __post_init__(self):
        """Raise a ConfigError that names the invalid key."""
        for key, value, known in (
            ("schedule", self.kind, KINDS),
            ("unit", self.unit, UNITS),
        ):
            if value not in list(known):
                raise ConfigError(f"{key}: no {value!r}; there are {', '.join(known)}")
        if self.kind == "one_shot":
            for key in ("end", "interval"):
                if getattr(self, key) is not None:
                    raise ConfigError(f"{key}: one_shot has none; leave it out")
            _require_whole("start", self.start, 1)
            return
        _require_whole("start", self.start, 0)
        if self.end is None:
            raise ConfigError(f"end: missing; give the {self.unit} of the last update")
        _require_whole("end", self.end, 1)
        if self.end <= self.start:
            raise ConfigError(f"end: {self.end} is not after start, {self.start}")
        if self.interval is not None:
            _require_whole("interval", self.interval, 1)

    @property
    def last(self) -> int:
        """The step or epoch of the last update."""
        return self.start if self.kind == "one_shot" else self.end

    def progress(self, now: int) -> float:
        """Return the fraction of the final pressure at a step or epoch, from 0 to 1."""
        if now >= self.last:
            return 1.0
        if self.kind == "one_shot" or now <= self.start:
            return 0.0
        x = (now - self.start) / (self.last - self.start)
        return x if self.kind == "linear" else 1 - (1 - x) ** 3

    def is_update(self, now: int) -> bool:
        """Return True if masks are updated after this step or epoch."""
        if now == self.last:
            return True
        if self.kind == "one_shot" or not self.start < now < self.last:
            return False
        return (now - self.start) % self._interval == 0

    def until_update(self, now: int) -> int | None:
        """Return the steps or epochs to the next update, or None after the last."""
        if now >= self.last:
            return None
        if self.kind == "one_shot":
            return self.start - now
        elapsed = max(now - self.start, 0)
        following = max(now, self.start) - elapsed % self._interval + self._interval
        return min(following, self.last) - now

    def is_final(self, now: int) -> bool:
        """Return True from the last update on."""
        return now >= self.last

    @property
    def _interval(self) -> int:
        return self.interval or {"step": 100, "epoch": 1}[self.unit]


def _require_whole(key: str, value, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{key}: {value!r} is no whole number of at least {least}")
