"""Check a training configuration without training (`espnet-distill check`)."""

import argparse
from pathlib import Path

from espnet_distill.errors import INVALID, ConfigError, ErrorCollector


def check(
    train_config: Path,
    espnet_options: list[str],
    vocoder_file: str | None = None,
    planned: bool = False,
) -> str:
    """Check student, teachers, objectives and callbacks; describe them in a line.

    Without `teacher` and `callbacks`, check a stock training, such as a teacher's; with
    `tts: vocoder`, the training of a vocoder. Checks without ESPnet, whose
    import takes 8 seconds, come first. An error does not stop the checks that do not
    depend on it.

    Args:
        train_config: The training configuration of the student.
        espnet_options: Further options of `espnet2.bin.tts_train`, such as
            `--token_list`; its default are the first teacher's tokens, and without a
            teacher placeholders.
        vocoder_file: A vocoder whose mels are to equal the student's.
        planned: Whether initial weights, statistics and the teachers' dump may be made
            later.

    Raises:
        ConfigError: All errors, each with its remedy.
    """
    from espnet_distill.experiments.config import read_keys
    from espnet_distill.experiments.experiment import Experiment
    from espnet_distill.tasks.options import DistillOptions
    from espnet_distill.vocoders import check_vocoder, is_none

    faults = ErrorCollector()
    conf = read_keys(train_config)
    if conf.get("tts") == "vocoder":
        from espnet_distill.tasks.checks.vocoder import check_vocoder_training

        if not is_none(vocoder_file):
            raise ConfigError(
                "--vocoder: a vocoder's training takes no vocoder; omit it"
            )
        return check_vocoder_training(train_config, conf, espnet_options, planned)
    plugin_args = _plugin_args(conf, espnet_options)
    distill_options = DistillOptions.read(plugin_args, faults)
    objectives = distill_options.valid_objectives(faults)
    callbacks = distill_options.valid_callbacks(faults)
    configs = [
        faults.check(lambda: Experiment(teacher).config)
        for teacher in distill_options.teachers
    ]

    from espnet_distill.experiments.text_frontend import (
        require_bpemodel,
        require_tokens,
    )
    from espnet_distill.recipes.shell_values import require_text_settings
    from espnet_distill.tasks.checks import compatibility
    from espnet_distill.tasks.checks import distillation as check_distillation
    from espnet_distill.tasks.checks import espnet as check_espnet
    from espnet_distill.tasks.text2mel import (
        DistillTTSTask,
        require_own_trainer,
        require_read,
        require_teacher,
        require_text2mel,
    )
    from espnet_distill.training.callback import TrainingContext

    if distill_options.is_stock:
        check_espnet.require_no_gan(conf, train_config)
    args = check_espnet.parse(
        DistillTTSTask, train_config, conf, espnet_options, faults
    )
    faults.check(require_own_trainer, args, distill_options)
    faults.check(require_teacher, args)
    faults.check(check_espnet.require_data, args)
    faults.check(require_bpemodel, vars(args), "student")
    faults.check(check_vocoder, vocoder_file, args.feats_extract_conf)
    valid_args = faults.check(check_espnet.require_choices, args)
    valid_args = faults.check(require_text2mel, valid_args)
    faults.check(require_read, valid_args)
    has_tokens = bool(distill_options.teachers) or args.token_list is not None
    if has_tokens:
        args.token_list = faults.check(check_espnet.tokens, args, configs)
    else:
        args.token_list = check_espnet.PLACEHOLDERS
    if has_tokens and args.use_preprocessor and args.token_type:
        faults.check(require_tokens, args.token_list, "student")
    taps = distill_options.targets_of(objectives)
    teachers = check_distillation.check_teachers(
        args, distill_options.teachers, configs, taps, faults
    )
    keys = [
        key
        for key in compatibility.FRONT_END
        if key in conf or f"--{key}" in espnet_options
    ]
    for teacher, teacher_conf in zip(distill_options.teachers, configs):
        whose = f"teacher {teacher}"
        if faults.check(require_text_settings, teacher_conf, whose) is not INVALID:
            faults.check(
                compatibility.require_same_front_end,
                *(vars(args), teacher_conf, keys, whose),
            )
    if distill_options.dump:
        check_distillation.check_dump(args, distill_options, taps, planned, faults)

    student = faults.check(check_espnet.build_student, valid_args, args.token_list)
    check_distillation.check_taps(
        student, distill_options.teachers, teachers, objectives, faults
    )
    training = TrainingContext(student, (), check_espnet.steps(args), args.max_epoch)
    check_distillation.check_callbacks(args, callbacks, training, faults)
    faults.check(check_espnet.require_schedule, args, student, training.steps)
    faults.check(check_espnet.require_statistics, args, planned)
    faults.check(check_espnet.require_initial, args, student, planned)
    faults.require_none()
    if distill_options.is_stock:
        return check_espnet.describe(student, has_tokens)
    return check_distillation.describe(
        student, teachers, objectives, distill_options.callbacks, has_tokens
    )


def _plugin_args(conf: dict, espnet_options: list[str]) -> argparse.Namespace:
    """Return the plugin's keys of the configuration, overridden by the options."""
    from espnet_distill.tasks import options

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_arguments(parser)
    defaults = vars(parser.parse_args([]))
    parser.set_defaults(
        **{key: value for key, value in conf.items() if key in defaults}
    )
    return parser.parse_known_args(espnet_options)[0]
