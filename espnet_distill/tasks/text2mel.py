"""ESPnet's TTS task, with teachers and callbacks."""

import argparse
import functools
import inspect
from pathlib import Path

import torch
from espnet2.tasks.tts import TTSTask, tts_choices
from espnet2.train.trainer import Trainer
from espnet2.tts.espnet_model import ESPnetTTSModel

from espnet_distill.errors import ConfigError, ErrorCollector
from espnet_distill.experiments.config_kinds import require_kinds
from espnet_distill.experiments.experiment import config_of
from espnet_distill.experiments.statistics import require_statistics
from espnet_distill.experiments.text_frontend import require_bpemodel
from espnet_distill.plugin import register_students
from espnet_distill.tasks import options
from espnet_distill.tasks.checks.compatibility import (
    require_compatible,
    require_conditions,
)
from espnet_distill.tasks.distill_model import GIVEN, DistillTTSModel, Teacher
from espnet_distill.tasks.options import DistillOptions
from espnet_distill.teachers.dumped import (
    DumpedSet,
    DumpedTeacher,
    data_name,
    folder_name,
)
from espnet_distill.teachers.online import OnlineTeacher
from espnet_distill.teachers.taps import require_taps
from espnet_distill.training.callback_list import Callbacks
from espnet_distill.training.child_processes import (
    refusal_in_one_line,
    refusal_of_children,
)
from espnet_distill.training.espnet_trainer import CallbackTrainer
from espnet_distill.training.optimizer_state import (
    CALLBACKS,
    LESSONS,
    require_resumable,
    save_with,
)
from espnet_distill.training.output_dir import CHECKPOINT, is_resumed, output_locked
from espnet_distill.training.run_record import write_record
from espnet_distill.utils.locking import require_unlocked
from espnet_distill.vocoders import build_vocoder

register_students()  # here, so that the processes a training spawns know them too


class DistillTTSTask(TTSTask):
    """What `espnet2.bin.tts_train` and `tts_inference` run with the plugin.

    Without a `teacher` and without `callbacks` it does what TTSTask does.
    """

    # What this process's run has, told by build_model, which each process calls. ESPnet
    # asks the class: for the names of data, here of dumped taps, and for the trainer.
    teacher_data_names: tuple[str, ...] = ()
    callbacks = Callbacks()
    wanted = DistillOptions()

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
        """Refuse what cannot work, before a process is spawned or anything is built.

        Where there is a dump, its taps join the data of the training. Durations, pitch
        and energy leave them where nobody reads them: a recipe made for FastSpeech2
        then trains Tacotron2, too.
        """
        wanted = DistillOptions.of(args)
        if not wanted.is_stock:
            require_kinds(vars(args))
        super().check_required_command_args(args)
        require_unlocked(args.output_dir)
        require_read(args)
        require_bpemodel(vars(args), args.tts)
        names = [name for _, name, _ in args.train_data_path_and_name_and_type]
        require_conditions(names, vars(args), args.tts)
        require_own_trainer(args, wanted)
        if not wanted.is_stock:
            require_text2mel(args)
            if _trains(args):
                require_statistics(vars(args))
        if not _learns_from_teachers(args, wanted):
            _leave_out_unread(args)
            return
        cls.check_teachers(args, wanted)
        if not wanted.dump:
            cls.check_conditions(args, wanted)
        else:  # which was made with all that the teacher wants
            for name in ("train", "valid"):
                key = f"{name}_data_path_and_name_and_type"
                data = list(getattr(args, key))
                setattr(args, key, data + dumped_data(wanted, name, data))
            _leave_out_unread(args)

    @staticmethod
    def check_teachers(args: argparse.Namespace, wanted: DistillOptions) -> None:
        """Raise a ConfigError if a teacher is not there or does not fit the student."""
        with ErrorCollector() as faults:
            for teacher in wanted.teachers:
                conf = faults.check(config_of, teacher)
                faults.check(require_compatible, vars(args), conf, f"teacher {teacher}")

    @staticmethod
    def check_conditions(args: argparse.Namespace, wanted: DistillOptions) -> None:
        """Raise a ConfigError if a teacher wants speakers that the data do not name."""
        names = [name for _, name, _ in args.train_data_path_and_name_and_type]
        for teacher in wanted.teachers:
            require_conditions(names, config_of(teacher), f"teacher {teacher}")

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> ESPnetTTSModel:
        wanted = DistillOptions.of(args)
        options.take(args)
        model = super().build_model(args)
        if not _trains(args):
            wanted = DistillOptions()
        if wanted.teachers:
            if wanted.dump:
                cls.teacher_data_names = teacher_data_names(wanted)
            model = with_teachers(model, wanted)  # who are built by this class as well
        cls.wanted = wanted
        cls.callbacks = callbacks_for(wanted, args.tts_conf)
        return model

    @classmethod
    def build_optimizers(cls, args: argparse.Namespace, model: torch.nn.Module):
        cls.callbacks.attach(model)
        optimizers = super().build_optimizers(args, model)
        payloads = {}
        if isinstance(model, DistillTTSModel):
            payloads[LESSONS] = model.lessons
        if cls.callbacks:
            payloads[CALLBACKS] = cls.callbacks
            cls.callbacks.listen(optimizers[0])
        save_with(optimizers[0], payloads)
        if is_resumed(args):
            require_resumable(Path(args.output_dir, CHECKPOINT), model, payloads)
        cls.trainer = Trainer
        if payloads:
            record = _record(cls.wanted, model)
            write = functools.partial(write_record, args.output_dir, record)
            cls.trainer = CallbackTrainer.of(cls.callbacks, write)
        return optimizers

    @classmethod
    def main(cls, *args, **kwargs):
        with refusal_of_children():
            return super().main(*args, **kwargs)

    @classmethod
    def main_worker(cls, args: argparse.Namespace):
        """Train; the folder is locked unless this is the stock run."""
        is_stock = not _trains(args) or DistillOptions.of(args).is_stock
        with refusal_in_one_line(), output_locked(args, is_stock):
            super().main_worker(args)

    @classmethod
    def build_vocoder_from_file(
        cls, vocoder_config_file=None, vocoder_file=None, model=None, device="cpu"
    ):
        """Build a vocoder as ESPnet does, or from any HiFi-GAN generator."""
        return build_vocoder(vocoder_file, vocoder_config_file, model, device)


def with_teachers(student: ESPnetTTSModel, wanted: DistillOptions) -> DistillTTSModel:
    """Put a student before its teachers, dumped or online, with its objectives.

    Neither draws from the random state: data and student are those of the stock run,
    and projections start alike whether the teachers are dumped or online.
    """
    with torch.random.fork_rng():
        teachers = _teachers(wanted)
    with torch.random.fork_rng():
        return DistillTTSModel(
            student,
            teachers,
            [wanted.build_objectives() for _ in teachers],
            wanted.ground_truth_weight,
            wanted.fusion,
            wanted.temperature,
        )


def callbacks_for(wanted: DistillOptions, tts_conf: dict) -> Callbacks:
    """Build the callbacks, which find the groups of a TTS model."""
    callbacks = wanted.build_callbacks()
    for callback in callbacks.callbacks:
        callback.use_model_conf(tts_conf)
    return callbacks


def _teachers(wanted: DistillOptions) -> list[Teacher]:
    taps = wanted.targets()
    if not wanted.dump:
        return [OnlineTeacher(item, taps) for item in wanted.teachers]
    folder = Path(wanted.dump)
    return [DumpedTeacher(folder, index, taps) for index in range(len(wanted.teachers))]


def teacher_data_names(wanted: DistillOptions) -> tuple[str, ...]:
    """Return the names that the dumped taps have among the data."""
    return tuple(
        data_name(index, tap)
        for index in range(len(wanted.teachers))
        for tap in wanted.targets()
    )


def dumped_data(wanted: DistillOptions, name: str, data: list) -> list[tuple]:
    """Return ESPnet's (path, name, type) of the dumped taps of one set.

    Args:
        wanted: With the folder of the dump.
        name: `train` or `valid`.
        data: The other data of that set.

    Raises:
        ConfigError: The dump is not whole, or not of this teacher or data.
    """
    others = {name: (path, kind) for path, name, kind in data}
    text = Path(others.pop("text")[0])
    found = []
    for index, experiment in enumerate(wanted.teachers):
        folder = Path(wanted.dump) / name / folder_name(index)
        DumpedSet(folder, experiment, wanted.targets()).require_fit(text, others)
        found += [
            (str(folder / f"{tap}.scp"), data_name(index, tap), "npy")
            for tap in wanted.targets()
        ]
    return found


def require_read(args: argparse.Namespace) -> None:
    """Raise a ConfigError if pitch or energy are extracted for a model without."""
    with ErrorCollector() as faults:
        faults.lines += [
            f"{kind}_extract: {args.tts} reads no {kind}; leave it out"
            for kind in ("pitch", "energy")
            if getattr(args, f"{kind}_extract") and kind not in _takes(args)
        ]


def require_text2mel(args: argparse.Namespace) -> argparse.Namespace:
    """Return the arguments if the student is a text-to-mel model.

    Raises:
        ConfigError: It makes waveforms, as VITS and JETS do.
    """
    require_taps(args.tts, "student")
    return args


def require_own_trainer(args: argparse.Namespace, wanted: DistillOptions) -> None:
    """Raise a ConfigError if another trainer would train in place of the plugin's."""
    if args.use_deepspeed and not wanted.is_stock:
        raise ConfigError(
            "use_deepspeed: does not train with a teacher or callbacks; leave it out"
        )


def _takes(args: argparse.Namespace):
    return inspect.signature(tts_choices.get_class(args.tts).forward).parameters


def _leave_out_unread(args: argparse.Namespace) -> None:
    takes = _takes(args)
    for name in ("train", "valid"):
        key = f"{name}_data_path_and_name_and_type"
        data = [d for d in getattr(args, key) if d[1] in takes or d[1] not in GIVEN]
        setattr(args, key, data)


def _trains(args: argparse.Namespace) -> bool:
    """Tell a training, also one whose configuration is older than the other two.

    Statistics and dry runs build the same model, with no teacher or callback.
    """
    return not any(getattr(args, key, False) for key in ("collect_stats", "dry_run"))


def _learns_from_teachers(args: argparse.Namespace, wanted: DistillOptions) -> bool:
    return bool(wanted.teachers) and _trains(args)


def _record(wanted: DistillOptions, model: ESPnetTTSModel) -> dict:
    """Say whom the model learns from, what is compared, and what listens."""
    record = {}
    if wanted.teachers:
        record |= {
            "teacher": [item.teacher.identity for item in model.lessons],
            "teacher_dump": wanted.dump,
            "distill_conf": {
                "ground_truth_weight": wanted.ground_truth_weight,
                "temperature": wanted.temperature,
                "fusion": wanted.fusion,
                "objectives": wanted.objectives,
            },
        }
    if wanted.callbacks:
        record["callbacks"] = wanted.callbacks
    return record
