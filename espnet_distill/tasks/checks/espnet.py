"""Check ESPnet's part of a training configuration."""

import argparse
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from espnet2.tasks.abs_task import AbsTask, optim_classes, scheduler_classes
from espnet2.tasks.gan_tts import tts_choices as gan_choices
from espnet2.torch_utils.load_pretrained_model import load_pretrained_model
from espnet2.tts.espnet_model import ESPnetTTSModel
from espnet2.utils.nested_dict_action import NestedDictAction
from espnet2.utils.types import int_or_none, str2bool, str_or_none

from espnet_distill.errors import INVALID, ConfigError, ErrorCollector, summarize
from espnet_distill.experiments import statistics as feature_stats
from espnet_distill.experiments.config import as_data, as_tokens
from espnet_distill.experiments.statistics import NORMALIZERS
from espnet_distill.experiments.weights import load_weights
from espnet_distill.profiling.macs import parameters
from espnet_distill.tasks.checks.compatibility import tokens_of
from espnet_distill.tasks.text2mel import DistillTTSTask
from espnet_distill.training.espnet_trainer import steps_of
from espnet_distill.utils.config_values import (
    as_list,
    as_mapping,
    as_number,
    as_text,
    as_whole,
    is_number,
    one_of,
    require_known,
    shown,
)

DATA = "data_path_and_name_and_type"


# Keys that DistillOptions checks.
PLUGIN_KEYS = ("teacher", "callbacks", "distill_conf", "teacher_dump")


# Tokens where a stock training's are not known yet; few parameters depend on them.
PLACEHOLDERS = ["<blank>", "<unk>", *map(str, range(47)), "<sos/eos>"]


NUMBERS = (int, int_or_none, float)


def parse(
    task: type[AbsTask],
    train_config: Path,
    conf: Mapping,
    options: Sequence[str],
    faults: ErrorCollector,
) -> argparse.Namespace:
    """Read a configuration as a task's parser does, and check its keys and types.

    A default replaces an invalid value.

    Raises:
        ConfigError: Unknown options, together with the errors collected before.
    """
    parser = task.get_parser()
    actions = {action.dest: action for action in parser._actions}
    good = {}
    for key, value in conf.items():
        if key not in actions:
            faults.check(require_known, [key], actions, f"{train_config}: ")
        elif faults.check(_require_kind, actions[key], value) is not INVALID:
            good[key] = value

    def refuse(message):
        raise ConfigError(f"{train_config}: {message}")

    parser.error = refuse
    parser.set_defaults(**good)
    args = faults.check(parser.parse_args, ["--output_dir", ".", *options])
    if args is INVALID:
        faults.require_none()
    return args


def _require_kind(action: argparse.Action, value) -> None:
    """Raise a ConfigError for a value of the wrong type.

    Text passes if ESPnet's parser converts it.
    """
    key = action.dest
    if key in PLUGIN_KEYS or (value is None and not _requires_value(action)):
        return
    if isinstance(action, NestedDictAction):
        as_mapping(value, key)
    elif key.endswith(DATA):
        as_data(value, key)
    elif _takes_several(action):
        if not (action.type is int and is_number(value)):  # keep_nbest_models: 5
            as_list(value, key)
    elif action.type in NUMBERS:
        _as_converted(action.type, value, key)
    elif action.choices is not None and action.type in (str, str_or_none):
        one_of(value, action.choices, key)
    elif action.type is str2bool and not isinstance(value, (bool, str)):
        raise ConfigError(f"{key}: expected true or false, got {shown(value)}")
    elif key == "token_list":
        as_tokens(value, key)
    elif action.type in (str, str_or_none):
        as_text(value, key)


def _requires_value(action: argparse.Action) -> bool:
    """Return True for a key whose value must not be null."""
    return action.type in NUMBERS and action.default is not None


def _takes_several(action: argparse.Action) -> bool:
    return action.nargs is not None or isinstance(action, argparse._AppendAction)


def _as_converted(kind: Callable, value, key: str) -> None:
    """Raise a ConfigError unless a value is a number of `kind`, or text of one."""
    if isinstance(value, str):
        try:
            value = kind(value)
        except ValueError:
            raise ConfigError(f"{key}: expected a number, got {shown(value)}") from None
    if value is not None:
        (as_number if kind is float else as_whole)(value, key)


def require_choices(args: argparse.Namespace) -> argparse.Namespace:
    """Return the arguments if each part of the model is one of ESPnet's.

    Raises:
        ConfigError: An unknown name, or a key that its class does not take.
    """
    with ErrorCollector() as faults:
        for choices in DistillTTSTask.class_choices_list:
            faults.check(_require_choice, args, choices.name, choices.classes)
    return args


def _require_choice(args: argparse.Namespace, key: str, classes: Mapping) -> None:
    name = getattr(args, key)
    if name is None:
        return
    one_of(name, classes, key)
    parameters = inspect.signature(classes[name]).parameters
    if any(item.kind is item.VAR_KEYWORD for item in parameters.values()):
        return
    require_known(getattr(args, f"{key}_conf"), parameters, f"{key}_conf: {name} has ")


def tokens(args: argparse.Namespace, configs: Sequence[Mapping]) -> list[str]:
    """Return the student's tokens, by default those of the first teacher.

    Args:
        args: The training's.
        configs: The teachers' configurations, INVALID where unreadable.
    """
    if args.token_list is not None:
        return tokens_of(args.token_list)
    known = [conf for conf in configs if conf is not INVALID]
    return (known[0].get("token_list") if known else None) or INVALID


def build_student(args: argparse.Namespace, tokens: list[str]) -> ESPnetTTSModel:
    """Build the stock model without statistics, which may not exist yet."""
    changes = {"token_list": tokens, "teacher": [], "distill_conf": {}, "callbacks": []}
    changes |= dict.fromkeys(("normalize", "pitch_normalize", "energy_normalize"))
    args = argparse.Namespace(**vars(args) | changes)
    try:
        return DistillTTSTask.build_model(args)
    except ConfigError:
        raise
    except Exception as error:  # each class raises its own types
        raise ConfigError(
            f"tts_conf: {args.tts} cannot be built: {summarize(error)}"
        ) from error


def steps(args: argparse.Namespace) -> int | None:
    """Return the optimizer's steps of the whole training, or None if unknown."""
    if not args.num_iters_per_epoch:
        return None
    return steps_of(args.num_iters_per_epoch, args)


def require_schedule(
    args: argparse.Namespace, model: torch.nn.Module, steps: int | None
) -> None:
    """Raise a ConfigError if optimizer or scheduler are invalid, or end too early."""
    with ErrorCollector() as faults:
        for key, classes in (
            ("optim", optim_classes),
            ("scheduler", scheduler_classes),
        ):
            faults.check(_require_choice, args, key, classes)
    (optimizer,) = _build("optim", AbsTask.build_optimizers, args, model)
    if args.scheduler is None:
        return
    scheduler = _build(
        "scheduler",
        scheduler_classes[args.scheduler],
        optimizer,
        **args.scheduler_conf,
    )
    ends = getattr(scheduler, "total_steps", None)
    if args.scheduler == "onecyclelr" and steps is not None and ends < steps:
        raise ConfigError(
            f"scheduler_conf.total_steps: {args.scheduler} ends at step {ends}, but "
            f"max_epoch x num_iters_per_epoch are {steps}; make them equal"
        )


def _build(key: str, build, *args, **conf):
    try:
        return build(*args, **conf)
    except Exception as error:  # torch and ESPnet raise different types
        raise ConfigError(f"{key}_conf: {summarize(error)}") from error


def require_initial(
    args: argparse.Namespace, model: ESPnetTTSModel, planned: bool
) -> None:
    """Load the initial weights as the training does, or raise a ConfigError.

    Args:
        args: The training's.
        model: The student.
        planned: Whether a file may be made later.
    """
    with ErrorCollector() as faults:
        for init_param in args.init_param:
            faults.check(
                _require_initial, init_param, model, args.ignore_init_mismatch, planned
            )


def _require_initial(
    init_param, model: ESPnetTTSModel, lenient: bool, planned: bool
) -> None:
    path, source, *_ = *str(init_param).split(":"), ""
    if not Path(path).is_file():
        if planned:
            return
        raise ConfigError(
            f"init_param: {path}: no such file; espnet-distill derive writes one"
        )
    names = load_weights(Path(path))
    if not any(name.startswith(source) for name in names):
        raise ConfigError(
            f"init_param: {init_param}: {path} has no parameters below {source!r}; it "
            f"has e.g. {next(iter(names), 'none')}"
        )
    try:
        load_pretrained_model(str(init_param), model, lenient)
    except Exception as error:  # torch, and ESPnet where it looks up the target
        raise ConfigError(
            f"init_param: {init_param}: does not fit the student: {summarize(error)}"
        ) from error


def require_statistics(args: argparse.Namespace, planned: bool) -> None:
    """Raise a ConfigError for invalid statistics of the student.

    Args:
        args: The training's.
        planned: Whether a file may be made later.
    """
    conf = vars(args)
    if planned:
        conf = conf | {key: None for key in NORMALIZERS if _is_planned(conf, key)}
    feature_stats.require_statistics(conf)


def _is_planned(conf: Mapping, key: str) -> bool:
    path = conf[f"{key}_conf"].get("stats_file")
    return isinstance(path, str) and not os.path.lexists(path)


def require_no_gan(conf: Mapping, source: Path) -> None:
    """Raise a ConfigError for the configuration of espnet2.bin.gan_tts_train."""
    name = str(conf.get("tts"))
    if name in gan_choices.classes:
        raise ConfigError(
            f"{source}: tts: {name} is trained by espnet2.bin.gan_tts_train; check takes "
            "the configurations of tts_train and of a vocoder"
        )


def describe(model: ESPnetTTSModel, has_tokens: bool) -> str:
    """Describe the model of a stock training in a line; see `size_of` for arguments."""
    return (
        f"{type(model.tts).__name__} ({size_of(model.tts, has_tokens)}), a stock training: "
        "neither `teacher` nor `callbacks`"
    )


def size_of(tts: torch.nn.Module, has_tokens: bool) -> str:
    """Return the number of a model's parameters in words.

    Args:
        tts: The model.
        has_tokens: False for a model of PLACEHOLDERS.
    """
    size = f"{parameters(tts) / 1e6:.2f} M"
    return size if has_tokens else f"{size} with {len(PLACEHOLDERS)} tokens"


def require_data(args: argparse.Namespace) -> None:
    """Raise a ConfigError if files of the training's data are missing."""
    with ErrorCollector() as faults:
        for name in ("train", "valid"):
            key = f"{name}_{DATA}"
            paths = [(key, item[0]) for item in getattr(args, key)]
            key = f"{name}_shape_file"
            paths += [(key, path) for path in getattr(args, key)]
            faults.lines += [
                f"{key}: {path}: no such file"
                for key, path in paths
                if not Path(path).is_file()
            ]
