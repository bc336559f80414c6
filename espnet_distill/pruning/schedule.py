"""When a training loses how much of what it is to lose."""

from dataclasses import dataclass

from espnet_distill.errors import ConfigError

KINDS = ("cubic", "linear", "one_shot")


UNITS = ("step", "epoch")


@dataclass(frozen=True)
class Schedule:
    """The share of the final pressure at each step, a function of the step alone.

    From ``start`` to ``end`` it rises, by updates ``interval`` apart and a last one at
    the end; afterwards the masks stand still and the model recovers.

    Attributes:
        kind: ``cubic``: 1 - (1 - x)³ of the way x, fast while there is much to take
            (Zhu & Gupta, arXiv:1710.01878); ``linear``; ``one_shot``: all at once.
        start: Where the way begins; a one-shot's only update.
        end: The last update; one_shot has none.
        interval: Between updates; one_shot has none.
        unit: What these are counted in: optimizer steps, or epochs from 1.
    """

    kind: str = "cubic"
    start: int = 0
    end: int | None = None
    interval: int | None = None
    unit: str = "step"

    def __post_init__(self):
        """Raise a ConfigError that names the key of what cannot be."""
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
            raise ConfigError(f"end: say the {self.unit} of the last update")
        _require_whole("end", self.end, 1)
        if self.end <= self.start:
            raise ConfigError(f"end: {self.end} is not after start, {self.start}")
        if self.interval is not None:
            _require_whole("interval", self.interval, 1)

    @property
    def last(self) -> int:
        """The step or epoch of the last update."""
        return self.start if self.kind == "one_shot" else self.end

    def share(self, now: int) -> float:
        """Return how much of the final pressure is on, from 0 to 1."""
        if now >= self.last:
            return 1.0
        if self.kind == "one_shot" or now <= self.start:
            return 0.0
        way = (now - self.start) / (self.last - self.start)
        return way if self.kind == "linear" else 1 - (1 - way) ** 3

    def is_update(self, now: int) -> bool:
        """Tell whether masks are chosen anew after this step or epoch."""
        if now == self.last:
            return True
        if self.kind == "one_shot" or not self.start < now < self.last:
            return False
        return (now - self.start) % self._every == 0

    def until_update(self, now: int) -> int | None:
        """Return how far the next update is, at least 1; None after the last."""
        if now >= self.last:
            return None
        if self.kind == "one_shot":
            return self.start - now
        gone = max(now - self.start, 0)
        following = max(now, self.start) - gone % self._every + self._every
        return min(following, self.last) - now

    def is_final(self, now: int) -> bool:
        """Tell whether the last update is over."""
        return now >= self.last

    @property
    def _every(self) -> int:
        return self.interval or {"step": 100, "epoch": 1}[self.unit]


def _require_whole(key: str, value, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{key}: {value!r} is no whole number of at least {least}")
