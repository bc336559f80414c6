"""Check the plugin's part of a training configuration against the models."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet2.tts.espnet_model import ESPnetTTSModel

from espnet_distill.errors import INVALID, ErrorCollector
from espnet_distill.experiments.text_to_wave import is_text_to_wave
from espnet_distill.objectives.base import Objective, Taps
from espnet_distill.recipes.shell_values import require_text_settings
from espnet_distill.tasks.checks.compatibility import (
    require_compatible,
    require_conditions,
)
from espnet_distill.tasks.checks.espnet import DATA, size_of
from espnet_distill.tasks.options import DistillOptions
from espnet_distill.teachers.dumped import DumpedSet, folder_name
from espnet_distill.teachers.taps import taps_of
from espnet_distill.teachers.text_encoder import LoadedTeacher, load_teacher
from espnet_distill.training.callback import Callback, TrainingContext


def check_teachers(
    args: argparse.Namespace,
    experiments: Sequence,
    configs: Sequence,
    taps: tuple[str, ...],
    faults: ErrorCollector,
) -> list[LoadedTeacher]:
    """Return the teachers, INVALID for each that cannot be loaded.

    Args:
        args: The training's.
        experiments: The teachers, as :class:`~.Experiment` opens them.
        configs: The teachers' configurations, INVALID where unreadable.
        taps: The teachers' taps that the training reads.
        faults: Collects the errors.
    """
    student = vars(args)
    if args.token_list is INVALID:
        student = student | {"token_list": None}  # nothing to compare
    names = [name for _, name, _ in getattr(args, f"train_{DATA}")]
    teachers = []
    for experiment, conf in zip(experiments, configs):
        whose = f"teacher {experiment}"
        faults.check(require_compatible, student, conf, whose)
        faults.check(require_conditions, names, conf, whose)
        faults.check(require_text_settings, conf, whose)
        loaded = INVALID
        if conf is not INVALID:
            needed = taps if is_text_to_wave(conf) else ()  # others: see check_taps
            loaded = faults.check(load_teacher, experiment, needed)
        teachers.append(loaded)
    return teachers


def check_dump(
    args: argparse.Namespace,
    distill_options: DistillOptions,
    taps: tuple[str, ...],
    planned: bool,
    faults: ErrorCollector,
) -> None:
    """Check that a dump is complete and of these teachers and data.

    Args:
        args: The training's; its data, if named, are compared with the dump's.
        distill_options: The options, with the folder and the teachers.
        taps: The taps that the training reads.
        planned: Whether the dump may be made or completed later.
        faults: Collects the errors.
    """
    for name in ("train", "valid"):
        data = {
            key: (path, kind) for path, key, kind in getattr(args, f"{name}_{DATA}")
        }
        text, _ = data.pop("text", (None, None))
        for index, experiment in enumerate(distill_options.teachers):
            folder = Path(distill_options.dump) / name / folder_name(index)
            dumped = DumpedSet(folder, experiment, taps)
            if not planned and text is not None:
                faults.check(dumped.require_fit, Path(text), data)
            elif dumped.is_finished or not planned:
                result = faults.check(dumped.require_teacher)
                if not planned and result is not INVALID:
                    faults.check(dumped.require_whole)


def check_taps(
    student: ESPnetTTSModel,
    experiments: Sequence,
    teachers: Sequence[LoadedTeacher],
    objectives: Sequence[Objective],
    faults: ErrorCollector,
) -> None:
    """Check that the models have the objectives' taps; models may be INVALID."""
    for objective in objectives:
        student_taps = faults.check(taps_of, student, objective.taps, where="student: ")
        for experiment, teacher in zip(experiments, teachers):
            teacher_taps = faults.check(
                _teacher_taps,
                teacher,
                objective.targets,
                where=f"teacher {experiment}: ",
            )
            faults.check(objective.attach, student_taps, teacher_taps)


def _teacher_taps(teacher: LoadedTeacher, names: tuple[str, ...]) -> Taps:
    return teacher.taps_of(names)


def check_callbacks(
    args: argparse.Namespace,
    callbacks: Sequence[Callback],
    training: TrainingContext,
    faults: ErrorCollector,
) -> None:
    """Check that callbacks fit the training and the student, which may be INVALID."""
    for callback in callbacks:
        callback.use_model_conf(args.tts_conf)
        if faults.check(callback.attach, training.model) is INVALID:
            faults.check(callback.require_end_within, training)
        else:
            faults.check(callback.on_train_start, training)


def describe(
    student: ESPnetTTSModel,
    teachers: Sequence[LoadedTeacher],
    objectives: Sequence[Objective],
    callbacks: Sequence[Mapping],
    has_tokens: bool,
) -> str:
    """Describe teachers, student, objectives and callbacks in a line."""
    line = f"student ({size_of(student.tts, has_tokens)})"
    if teachers:
        sizes = (f"{item.checkpoint} ({size_of(item.tts, True)})" for item in teachers)
        labels = ", ".join(objective.label for objective in objectives)
        line = f"{', '.join(sizes)} -> {line} by {labels}"
    types = ", ".join(conf["type"] for conf in callbacks)
    return f"{line} with {types}" if types else line
