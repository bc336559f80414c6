"""The keys that the plugin adds to a training configuration."""

import argparse
from dataclasses import dataclass, field

import yaml

from espnet_distill.errors import ConfigError
from espnet_distill.objectives import (
    build_objective,
    require_temperature,
    require_weight,
)
from espnet_distill.pruning.callback import build_callback
from espnet_distill.pruning.callbacks import Callbacks
from espnet_distill.teachers.fusion import require_fusion

DEFAULT_OBJECTIVES = ({"type": "mel", "weight": 1.0},)


@dataclass
class DistillOptions:
    """`teacher:`, `teacher_dump:`, `distill_conf:` and `callbacks:`, checked.

    Without teachers and callbacks, a run is the stock run.

    Attributes:
        teachers: As `find_experiment` takes them.
        dump: The folder that teacher_dump wrote, or None to run the teachers online.
        ground_truth_weight: Weight of the model's own loss against the recordings.
        temperature: How soft the teachers' targets are; 1 changes nothing.
        fusion: How several teachers share each utterance, `mean` or `confidence`.
        objectives: What compares student and teacher, as `build_objective` takes it.
        callbacks: What listens to the training, as `build_callback` takes it.
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
        """Read the options, or raise a ConfigError that names the key that is wrong."""
        teachers = getattr(args, "teacher", None) or []
        if isinstance(teachers, (str, dict)):
            teachers = [teachers]
        conf = getattr(args, "distill_conf", None) or {}
        known = ("ground_truth_weight", "temperature", "fusion", "objectives")
        for key in conf:
            if key not in known:
                raise ConfigError(
                    f"distill_conf: no key {key!r}; there are {', '.join(known)}"
                )
        options = cls(teachers, getattr(args, "teacher_dump", None), **conf)
        options.callbacks = getattr(args, "callbacks", None) or []
        if not isinstance(options.objectives, list) or not options.objectives:
            raise ConfigError(
                "distill_conf.objectives: expected a list of {type: …, weight: …}, "
                f"got {options.objectives!r}"
            )
        options.ground_truth_weight = require_weight(
            options.ground_truth_weight, "distill_conf.ground_truth_weight"
        )
        options.temperature = require_temperature(
            options.temperature, "distill_conf.temperature"
        )
        require_fusion(options.fusion, "distill_conf.fusion")
        options.build_objectives()
        options.build_callbacks()
        return options

    def build_objectives(self):
        """Return one set of objectives; every teacher has its own."""
        objectives = [
            build_objective(conf, f"distill_conf.objectives[{i}]", self.temperature)
            for i, conf in enumerate(self.objectives)
        ]
        labels = [objective.label for objective in objectives]
        for label in labels:
            if labels.count(label) > 1:
                raise ConfigError(f"distill_conf.objectives: {label} is listed twice")
        return objectives

    @property
    def is_stock(self) -> bool:
        """Tell whether the plugin adds nothing to a run."""
        return not (self.teachers or self.callbacks)

    def build_callbacks(self) -> Callbacks:
        """Return new callbacks, as one."""
        if not isinstance(self.callbacks, list):
            raise ConfigError(
                f"callbacks: expected a list of {{type: …}}, got {self.callbacks!r}"
            )
        built = [
            build_callback(conf, f"callbacks[{index}]")
            for index, conf in enumerate(self.callbacks)
        ]
        return Callbacks(built, self.callbacks)

    def targets(self) -> tuple[str, ...]:
        """Return the teacher's taps that the objectives and the fusion read."""
        taps = [tap for item in self.build_objectives() for tap in item.targets]
        if self.fusion == "confidence":
            taps.append("mel_after")
        return tuple(dict.fromkeys(taps))


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
        help="What listens to the training, each a mapping with a type, such as prune",
    )


def take(args: argparse.Namespace) -> None:
    """Remove the plugin's keys, so that config.yaml holds those of stock ESPnet."""
    for key in ("teacher", "teacher_dump", "distill_conf", "callbacks"):
        if hasattr(args, key):
            delattr(args, key)
