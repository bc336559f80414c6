"""ESPnet's TTS task, with teachers and callbacks."""

import argparse
import functools
import inspect
from collections.abc import Callable
from pathlib import Path

import torch
from espnet2.tasks.tts import TTSTask, tts_choices
from espnet2.train.trainer import Trainer
from espnet2.tts.espnet_model import ESPnetTTSModel

from espnet_distill.errors import ConfigError, ErrorCollector
from espnet_distill.experiments.config import require_kinds
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.statistics import require_statistics
from espnet_distill.experiments.text_frontend import require_bpemodel
from espnet_distill.plugin import register_students
from espnet_distill.tasks import options
from espnet_distill.tasks.checks.compatibility import (
    FRONT_END,
    require_compatible,
    require_conditions,
    require_same_front_end,
)
from espnet_distill.tasks.distill_model import GIVEN, DistillTTSModel, Teacher
from espnet_distill.tasks.options import DistillOptions
from espnet_distill.teachers.dumped import (
    DumpedSet,
    DumpedTeacher,
    data_name,
    folder_name,
)
from espnet_distill.teachers.taps import require_taps
from espnet_distill.teachers.text_encoder import load_teacher
from espnet_distill.training.callback_list import Callbacks
from espnet_distill.training.child_processes import (
    errors_of_child,
    exit_with_children,
)
from espnet_distill.training.espnet_trainer import CallbackTrainer
from espnet_distill.training.optimizer_state import (
    CALLBACKS,
    TEACHERS,
    require_resumable,
    save_with,
)
from espnet_distill.training.output_dir import CHECKPOINT, is_resumed, output_locked
from espnet_distill.training.run_record import write_record
from espnet_distill.utils.locking import require_unlocked
from espnet_distill.vocoders import build_vocoder

register_students()  # at import, so that spawned processes have them


class DistillTTSTask(TTSTask):
    """The task of `espnet2.bin.tts_train` and `tts_inference` with the plugin.

    Without a `teacher` and without `callbacks` it equals TTSTask.
    """

    # State of this process's run, set by build_model, which each process calls. ESPnet
    # calls class methods for the data names, here of dumped taps, and for the trainer.
    teacher_data_names: tuple[str, ...] = ()
    callbacks = Callbacks()
    distill_options = DistillOptions()

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser):
        super().add_task_arguments(parser)
        options.add_arguments(parser)

    @classmethod
    def optional_data_names(
        cls, train: bool = True, inference: bool = False
    ) -> tuple[str, ...]:
        return super().optional_data_names(train, inference) + cls.teacher_data_names

    @classmethod
    def check_required_command_args(cls, args: argparse.Namespace):
        """Check the arguments before a process is spawned or a model is built.

        The taps of a dump are added to the data of the training. Durations, pitch and
        energy are removed if no model uses them, so that a recipe for FastSpeech2 also
        trains Tacotron2.
        """
        distill_options = DistillOptions.of(args)
        if not distill_options.is_stock:
            require_kinds(vars(args))
        super().check_required_command_args(args)
        require_unlocked(args.output_dir)
        require_read(args)
        require_bpemodel(vars(args), args.tts)
        names = [name for _, name, _ in args.train_data_path_and_name_and_type]
        require_conditions(names, vars(args), args.tts)
        require_own_trainer(args, distill_options)
        if _trains(args):
            require_teacher(args)
        if not distill_options.is_stock:
            require_text2mel(args)
            if _trains(args):
                require_statistics(vars(args))
        if not _learns_from_teachers(args, distill_options):
            _leave_out_unread(args)
            return
        cls.check_teachers(args, distill_options)
        if not distill_options.dump:
            cls.check_conditions(args, distill_options)
        else:  # dump_teacher has checked the teachers' conditions
            for name in ("train", "valid"):
                key = f"{name}_data_path_and_name_and_type"
                data = list(getattr(args, key))
                setattr(args, key, data + dumped_data(distill_options, name, data))
            _leave_out_unread(args)

    @staticmethod
    def check_teachers(
        args: argparse.Namespace, distill_options: DistillOptions
    ) -> None:
        """Raise a ConfigError if a teacher is missing or does not fit the student."""
        with ErrorCollector() as faults:
            for teacher in distill_options.teachers:
                whose = f"teacher {teacher}"
                conf = faults.check(lambda: Experiment(teacher).config)
                faults.check(require_compatible, vars(args), conf, whose)
                if distill_options.dump:  # of the tokens of the teacher's front end
                    faults.check(
                        require_same_front_end, vars(args), conf, FRONT_END, whose
                    )

    @staticmethod
    def check_conditions(
        args: argparse.Namespace, distill_options: DistillOptions
    ) -> None:
        """Raise a ConfigError if a teacher needs speakers that the data lack."""
        names = [name for _, name, _ in args.train_data_path_and_name_and_type]
        for teacher in distill_options.teachers:
            require_conditions(names, Experiment(teacher).config, f"teacher {teacher}")

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> ESPnetTTSModel:
        distill_options = DistillOptions.of(args)
        options.take(args)
        model = super().build_model(args)
        if not _trains(args):
            distill_options = DistillOptions()
        if distill_options.teachers:
            if distill_options.dump:
                cls.teacher_data_names = teacher_data_names(distill_options)
            # Online teachers are built by this method, too, so the class is set below.
            model = with_teachers(model, distill_options)
        cls.distill_options = distill_options
        cls.callbacks = callbacks_for(distill_options, args.tts_conf)
        return model

    @classmethod
    def build_optimizers(cls, args: argparse.Namespace, model: torch.nn.Module):
        cls.callbacks.attach(model)
        optimizers = super().build_optimizers(args, model)
        payloads = {}
        if isinstance(model, DistillTTSModel):
            payloads[TEACHERS] = model.teacher_objectives
        if cls.callbacks:
            payloads[CALLBACKS] = cls.callbacks
            cls.callbacks.hook_steps(optimizers[0])
        save_with(optimizers[0], payloads)
        if is_resumed(args):
            require_resumable(Path(args.output_dir, CHECKPOINT), model, payloads)
        cls.trainer = Trainer
        if payloads:
            record = _record(cls.distill_options, model)
            write = functools.partial(write_record, args.output_dir, record)
            cls.trainer = CallbackTrainer.of(cls.callbacks, write)
        return optimizers

    @classmethod
    def main(cls, *args, **kwargs):
        with exit_with_children():
            return super().main(*args, **kwargs)

    @classmethod
    def main_worker(cls, args: argparse.Namespace):
        """Train; lock the folder unless this is the stock run."""
        is_stock = not _trains(args) or DistillOptions.of(args).is_stock
        with errors_of_child(), output_locked(args, is_stock):
            super().main_worker(args)

    @classmethod
    def build_vocoder_from_file(
        cls, vocoder_config_file=None, vocoder_file=None, model=None, device="cpu"
    ):
        """Build a vocoder as ESPnet does, or from any HiFi-GAN generator."""
        return build_vocoder(vocoder_file, vocoder_config_file, model, device)


def with_teachers(
    student: ESPnetTTSModel, distill_options: DistillOptions
) -> DistillTTSModel:
    """Add teachers, dumped or online, and objectives to a student.

    The random state is unchanged: data and student equal those of the stock run, and
    the initial projections do not depend on whether the teachers are dumped or online.
    """
    with torch.random.fork_rng():
        teachers = _teachers(distill_options)
    with torch.random.fork_rng():
        return DistillTTSModel(
            student,
            teachers,
            [distill_options.build_objectives() for _ in teachers],
            distill_options.ground_truth_weight,
            distill_options.fusion,
            distill_options.temperature,
        )


def callbacks_for(distill_options: DistillOptions, tts_conf: dict) -> Callbacks:
    """Build the callbacks for a model with this `tts_conf`."""
    callbacks = distill_options.build_callbacks()
    for callback in callbacks.callbacks:
        callback.use_model_conf(tts_conf)
    return callbacks


def _teachers(distill_options: DistillOptions) -> list[Teacher]:
    taps = distill_options.targets()
    if not distill_options.dump:
        return [load_teacher(item, taps) for item in distill_options.teachers]
    folder = Path(distill_options.dump)
    return [
        DumpedTeacher(folder, index, taps)
        for index in range(len(distill_options.teachers))
    ]


def teacher_data_names(distill_options: DistillOptions) -> tuple[str, ...]:
    """Return the data names of the dumped taps."""
    return tuple(
        data_name(index, tap)
        for index in range(len(distill_options.teachers))
        for tap in distill_options.targets()
    )


def dumped_data(distill_options: DistillOptions, name: str, data: list) -> list[tuple]:
    """Return ESPnet's (path, name, type) of the dumped taps of one set.

    Args:
        distill_options: The options, with the folder of the dump.
        name: `train` or `valid`.
        data: The other data of that set.

    Raises:
        ConfigError: The dump is incomplete, or of another teacher or other data.
    """
    others = {name: (path, kind) for path, name, kind in data}
    text = Path(others.pop("text")[0])
    entries = []
    for index, experiment in enumerate(distill_options.teachers):
        folder = Path(distill_options.dump) / name / folder_name(index)
        DumpedSet(folder, experiment, distill_options.targets()).require_fit(
            text, others
        )
        entries += [
            (str(folder / f"{tap}.scp"), data_name(index, tap), "npy")
            for tap in distill_options.targets()
        ]
    return entries


def require_read(args: argparse.Namespace) -> None:
    """Raise a ConfigError if pitch or energy are extracted but not used."""
    with ErrorCollector() as faults:
        faults.lines += [
            f"{kind}_extract: {args.tts} does not use {kind}; leave it out"
            for kind in ("pitch", "energy")
            if getattr(args, f"{kind}_extract") and not _takes(args)(kind)
        ]


def require_text2mel(args: argparse.Namespace) -> argparse.Namespace:
    """Return the arguments if the student is a text-to-mel model.

    Raises:
        ConfigError: It synthesizes waveforms, as VITS and JETS do.
    """
    require_taps(args.tts, "student")
    return args


def require_teacher(args: argparse.Namespace) -> None:
    """Raise a ConfigError if there are keys of a distillation, but no teacher."""
    given = [
        key for key in ("distill_conf", "teacher_dump") if getattr(args, key, None)
    ]
    if given and not args.teacher:
        raise ConfigError(
            f"{given[0]}: there is no teacher; name one (teacher: [exp/teacher]) or "
            f"leave {' and '.join(given)} out"
        )


def require_own_trainer(
    args: argparse.Namespace, distill_options: DistillOptions
) -> None:
    """Raise a ConfigError if DeepSpeed would replace the plugin's trainer.

    Or if one process would train replicas of the model, which share its hooks.
    """
    if distill_options.is_stock:
        return
    if args.use_deepspeed:
        raise ConfigError(
            "use_deepspeed: not supported with a teacher or callbacks; leave it out"
        )
    if options.has_replicas(args):
        raise ConfigError(
            f"ngpu: {args.ngpu} in one process are not supported with a teacher or "
            "callbacks; set multiprocessing_distributed: true"
        )


def _takes(args: argparse.Namespace) -> Callable[[str], bool]:
    """Return whether a model's training takes a data name, a function of the name.

    JETS and JointText2Wav pass on what they are given: they take every name.
    """
    forward = tts_choices.get_class(args.tts).forward
    parameters = inspect.signature(forward).parameters
    if any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        return lambda name: True
    return parameters.__contains__


def _leave_out_unread(args: argparse.Namespace) -> None:
    is_taken = _takes(args)
    for name in ("train", "valid"):
        key = f"{name}_data_path_and_name_and_type"
        data = [d for d in getattr(args, key) if is_taken(d[1]) or d[1] not in GIVEN]
        setattr(args, key, data)


def _trains(args: argparse.Namespace) -> bool:
    """Return True for a training, False for statistics and dry runs.

    The latter build the model without teachers and callbacks. Older configurations lack
    their keys.
    """
    return not any(getattr(args, key, False) for key in ("collect_stats", "dry_run"))


def _learns_from_teachers(
    args: argparse.Namespace, distill_options: DistillOptions
) -> bool:
    return bool(distill_options.teachers) and _trains(args)


def _record(distill_options: DistillOptions, model: ESPnetTTSModel) -> dict:
    """Return the run record: teachers, objectives and callbacks."""
    record = {}
    if distill_options.teachers:
        record |= {
            "teacher": [item.teacher.identity for item in model.teacher_objectives],
            "teacher_dump": distill_options.dump,
            "distill_conf": {
                "ground_truth_weight": distill_options.ground_truth_weight,
                "temperature": distill_options.temperature,
                "fusion": distill_options.fusion,
                "objectives": distill_options.objectives,
            },
        }
    if distill_options.callbacks:
        record["callbacks"] = distill_options.callbacks
    return record
