"""ESPnet's TTS task, with teachers."""

import argparse
import logging
import os
from pathlib import Path

import torch
import yaml
from espnet2.tasks.tts import TTSTask
from espnet2.tts.espnet_model import ESPnetTTSModel

from espnet_distill import version
from espnet_distill.tasks import options
from espnet_distill.tasks.companion import save_with
from espnet_distill.tasks.compatibility import require_compatible
from espnet_distill.tasks.model import DistillTTSModel, hidden_taps
from espnet_distill.tasks.options import DistillOptions
from espnet_distill.teachers.checkpoint import find_experiment, read_config
from espnet_distill.teachers.online import OnlineTeacher
from espnet_distill.vocoders import build_vocoder


class DistillTTSTask(TTSTask):
    """What `espnet2.bin.tts_train` and `tts_inference` run with the plugin.

    Without a `teacher` it does what TTSTask does.
    """

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser):
        super().add_task_arguments(parser)
        options.add_arguments(parser)

    @classmethod
    def check_required_command_args(cls, args: argparse.Namespace):
        """Refuse what cannot work, before a process is spawned or anything is built."""
        super().check_required_command_args(args)
        wanted = DistillOptions.of(args)
        if _learns_from_teachers(args, wanted):
            cls.check_teachers(args, wanted)

    @staticmethod
    def check_teachers(args: argparse.Namespace, wanted: DistillOptions) -> None:
        """Raise a ConfigError if a teacher is not there or does not fit the student."""
        for teacher in wanted.teachers:
            config, _ = find_experiment(teacher)
            require_compatible(vars(args), read_config(config), f"teacher {teacher}")

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> ESPnetTTSModel:
        wanted = DistillOptions.of(args)
        options.take(args)
        student = super().build_model(args)
        if not _learns_from_teachers(args, wanted):
            return student
        with torch.random.fork_rng():
            objectives = [wanted.build_objectives() for _ in wanted.teachers]
            taps = hidden_taps(objectives[0])
            teachers = [OnlineTeacher(folder, taps) for folder in wanted.teachers]
            model = DistillTTSModel(
                student, teachers, objectives, wanted.ground_truth_weight
            )
        if not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0:
            _write_record(wanted, teachers, Path(args.output_dir) / "distill.yaml")
        return model

    @classmethod
    def build_optimizers(cls, args: argparse.Namespace, model: torch.nn.Module):
        optimizers = super().build_optimizers(args, model)
        if isinstance(model, DistillTTSModel):
            save_with(optimizers[0], model.lessons)
        return optimizers

    @classmethod
    def build_vocoder_from_file(
        cls, vocoder_config_file=None, vocoder_file=None, model=None, device="cpu"
    ):
        """Build a vocoder as ESPnet does, or from any HiFi-GAN generator."""
        return build_vocoder(vocoder_file, vocoder_config_file, model, device)


def _learns_from_teachers(args: argparse.Namespace, wanted: DistillOptions) -> bool:
    """Statistics and dry runs build the same model, and need no teacher."""
    return bool(wanted.teachers) and not (args.collect_stats or args.dry_run)


def _write_record(wanted: DistillOptions, teachers, path: Path) -> None:
    """Write beside config.yaml what the plugin did, for readers and later commands."""
    record = {
        "version": version(),
        "teacher": [
            {"config": str(item.config), "model": str(item.checkpoint)}
            for item in teachers
        ],
        "distill_conf": {
            "ground_truth_weight": wanted.ground_truth_weight,
            "objectives": wanted.objectives,
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    beside.write_text(yaml.safe_dump(record, sort_keys=False), encoding="utf-8")
    os.replace(beside, path)
    logging.info(f"Saving the distillation's options in {path}")
