"""RunOptions, the options of a run of distill.sh."""

import argparse
from dataclasses import dataclass, fields
from pathlib import Path

from espnet_distill.errors import ConfigError


@dataclass(frozen=True)
class RunOptions:
    """The options of a run, which the head of distill.sh describes in this order.

    ``shared`` is the folder of the presets, ``conf`` of the template.
    """

    shared: Path
    stage: int
    stop_stage: int
    ngpu: int
    nj: int
    inference_nj: int
    num_threads: int
    dumpdir: str
    expdir: str
    stats_dir: str
    python: str
    train_set: str
    valid_set: str
    test_sets: str
    tts_opts: str
    fs: str
    n_fft: str
    n_shift: str
    win_length: str
    n_mels: str
    fmin: str
    fmax: str
    f0min: str
    f0max: str
    token_type: str
    bpemodel: str
    cleaner: str
    g2p: str
    language: str
    nbpe: int
    teacher_stats: bool
    durations_from: str
    align_steps: int
    max_unaligned: float
    least_focus_rate: str
    pseudo_label_text: str
    train_teacher: bool
    teacher_config: str
    teacher: str
    speaker: str
    speech_script: str
    more_teachers: str
    noise_scale: float
    noise_scale_dur: float
    student_features: str
    text_encoder_weight: float
    student_config: str
    student: str
    objectives_config: str
    student_tag: str
    student_args: str
    distill: bool
    warm_start: bool
    teacher_dump: bool
    dump_dir: str
    dump_batch_size: int
    vocoder_preset: str
    vocoder_speech: str
    vocoder_config: str
    vocoder_tag: str
    vocoder_args: str
    vocoder_model: str
    inference_model: str
    vocoder_file: str
    inference_tag: str
    evaldir: str

    @property
    def sets(self) -> list[str]:
        """The recordings' sets: training, validation, test."""
        return [self.train_set, self.valid_set, *self.test_sets.split()]

    def has_tts_flag(self, name: str) -> bool:
        """Return True if ``tts_opts`` sets an option of tts.sh to true."""
        return f"--{name} true" in " ".join(self.tts_opts.split())


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a run to a parser, hyphenated; each is required."""
    for field in fields(RunOptions):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", metavar="VALUE", required=True
        )


def parse_options(args: argparse.Namespace) -> RunOptions:
    """Return the options that were parsed by the parser of `add_options`.

    Raises:
        ConfigError: A number or a truth value is none.
    """
    return RunOptions(
        **{
            field.name: _convert(getattr(args, field.name), field.type, field.name)
            for field in fields(RunOptions)
        }
    )


def _convert(value: str, kind: type, name: str):
    if kind is bool:
        if value not in ("true", "false"):
            raise ConfigError(f"--{name} {value}: is neither true nor false")
        return value == "true"
    try:
        return kind(value)
    except ValueError as error:
        what = "whole number" if kind is int else "number"
        raise ConfigError(f"--{name} {value}: is no {what}") from error
