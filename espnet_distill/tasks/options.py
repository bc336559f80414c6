"""The keys that the plugin adds to a training configuration."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import yaml
from espnet2.train.distributed_utils import get_world_size

from espnet_distill.errors import INVALID, ConfigError, ErrorCollector
from espnet_distill.objectives.registry import (
    Objective,
    build_objective,
    require_temperature,
    require_weight,
)
from espnet_distill.teachers.fusion import require_fusion
from espnet_distill.training.callback import Callback
from espnet_distill.training.callback_list import Callbacks
from espnet_distill.training.registry import build_callback
from espnet_distill.utils.config_values import (
    as_list,
    as_mapping,
    as_text,
    require_known,
)

DEFAULT_OBJECTIVES = ({"type": "mel", "weight": 1.0},)


@dataclass
class DistillOptions:
    """`teacher:`, `teacher_dump:`, `distill_conf:` and `callbacks:`, checked.

    Without teachers and callbacks, a run is the stock run.

    Attributes:
        teachers: As :class:`~.Experiment` opens them.
        dump: The folder that teacher_dump wrote, or None to run the teachers online.
        ground_truth_weight: Weight of the model's own loss against the recordings.
        temperature: Temperature of the teachers' targets; 1 leaves them unchanged.
        fusion: How several teachers are weighed, `mean` or `confidence`.
        objectives: Configurations for `build_objective`.
        callbacks: Configurations for `build_callback`.
    """

    teachers: list[str | dict] = field(default_factory=list)
    dump: str | None = None
    ground_truth_weight: float = 1.0
    temperature: float = 1.0
    fusion: str = "mean"
    objectives: list[dict] = field(default_factory=lambda: list(DEFAULT_OBJECTIVES))
    callbacks: list[dict] = field(default_factory=list)

    @classmethod
    def of(cls, args: argparse.Namespace) -> "DistillOptions":
        """Read the options, or raise a ConfigError that names each wrong key."""
        with ErrorCollector() as faults:
            options = cls.read(args, faults)
            options.valid_objectives(faults)
            options.valid_callbacks(faults)
        return options

    @classmethod
    def read(cls, args: argparse.Namespace, faults: ErrorCollector) -> "DistillOptions":
        """Read the valid options; a default replaces an invalid value."""
        options = cls()
        teachers = getattr(args, "teacher", None) or []
        if isinstance(teachers, (str, dict)):
            teachers = [teachers]
        options.teachers = _read(as_list, teachers, "teacher", faults, [])
        dump = getattr(args, "teacher_dump", None) or None
        options.dump = dump and _read(as_text, dump, "teacher_dump", faults, None)
        conf = getattr(args, "distill_conf", None) or {}
        conf = _read(as_mapping, conf, "distill_conf", faults, {})
        checks = {
            "ground_truth_weight": require_weight,
            "temperature": require_temperature,
            "fusion": require_fusion,
            "objectives": _require_some,
        }
        faults.check(require_known, conf, checks, "distill_conf: ")
        for key in (key for key in checks if key in conf):
            value = faults.check(checks[key], conf[key], f"distill_conf.{key}")
            if value is not INVALID:
                setattr(options, key, value)
        callbacks = getattr(args, "callbacks", None) or []
        kind = partial(as_list, what="a list of {type: …}")
        options.callbacks = _read(kind, callbacks, "callbacks", faults, [])
        return options

    def valid_objectives(self, faults: ErrorCollector) -> list[Objective]:
        """Build the objectives whose configuration is valid."""
        by_label: dict[str, Objective] = {}
        for index, conf in enumerate(self.objectives):
            where = f"distill_conf.objectives[{index}]"
            objective = faults.check(build_objective, conf, where, self.temperature)
            if objective is INVALID:
                continue
            if objective.label in by_label:
                faults.lines.append(
                    f"distill_conf.objectives: {objective.label} is listed twice"
                )
            by_label.setdefault(objective.label, objective)
        return list(by_label.values())

    def valid_callbacks(self, faults: ErrorCollector) -> list[Callback]:
        """Build the callbacks whose configuration is valid."""
        callbacks = [
            faults.check(build_callback, conf, f"callbacks[{index}]")
            for index, conf in enumerate(self.callbacks)
        ]
        return [callback for callback in callbacks if callback is not INVALID]

    def build_objectives(self) -> list[Objective]:
        """Build one set of objectives; each teacher needs a set."""
        with ErrorCollector() as faults:
            objectives = self.valid_objectives(faults)
        return objectives

    @property
    def is_stock(self) -> bool:
        """Whether a run is the stock run."""
        return not (self.teachers or self.callbacks)

    def build_callbacks(self) -> Callbacks:
        """Build the callbacks."""
        with ErrorCollector() as faults:
            built = self.valid_callbacks(faults)
        return Callbacks(built, self.callbacks)

    def targets(self) -> tuple[str, ...]:
        """Return the teacher's taps that the objectives and the fusion read."""
        return self.targets_of(self.build_objectives())

    def targets_of(self, objectives: list[Objective]) -> tuple[str, ...]:
        """Return the teacher's taps that these objectives and the fusion read."""
        taps = [tap for item in objectives for tap in item.targets]
        if self.fusion == "confidence":
            taps.append("mel_after")
        return tuple(dict.fromkeys(taps))


def _read(kind: Callable, value, key: str, faults: ErrorCollector, otherwise):
    """Return a value that passes the check `kind`, else the default `otherwise`."""
    value = faults.check(kind, value, key)
    return otherwise if value is INVALID else value


def _require_some(objectives, where: str) -> list:
    if not isinstance(objectives, list) or not objectives:
        raise ConfigError(
            f"{where}: expected a list of {{type: …, weight: …}}, got {objectives!r}"
        )
    return objectives


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to ESPnet's parser, where --config finds them as YAML keys."""
    from espnet2.utils.nested_dict_action import NestedDictAction

    group = parser.add_argument_group("Distillation related")
    group.add_argument(
        "--teacher",
        nargs="*",
        default=[],
        help="The teachers: experiment folders, .pth or .zip files, or tags; none: "
        "the stock run",
    )
    group.add_argument(
        "--teacher_dump",
        help="The folder that teacher_dump wrote; none: the teachers run online",
    )
    group.add_argument(
        "--distill_conf",
        action=NestedDictAction,
        default={},
        help="Weights and objectives of the distillation",
    )
    group.add_argument(
        "--callbacks",
        nargs="*",
        type=yaml.safe_load,
        default=[],
        help="Callbacks of the training, each a mapping with a type, such as prune",
    )


def take(args: argparse.Namespace) -> None:
    """Remove the plugin's keys, so that config.yaml holds those of stock ESPnet."""
    for key in ("teacher", "teacher_dump", "distill_conf", "callbacks"):
        if hasattr(args, key):
            delattr(args, key)


def has_replicas(args: argparse.Namespace) -> bool:
    """Return True if one process trains replicas of the model on several GPUs."""
    processes = get_world_size(args.dist_world_size, args.dist_launcher) or 1
    is_alone = not args.multiprocessing_distributed and processes == 1
    return args.ngpu > 1 and is_alone
