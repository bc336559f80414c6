"""`espnet-distill check`: find what would stop a training before it starts."""

import argparse
import contextlib
import io
import warnings
from pathlib import Path

from espnet_distill.errors import ConfigError, ErrorCollector


def check(
    train_config: Path,
    espnet_options: list[str],
    vocoder_file: str | None = None,
    planned: bool = False,
) -> str:
    """Look at student, teachers, objectives and callbacks; describe them in a line.

    With `tts: vocoder` look at what trains a vocoder. What needs no ESPnet, whose import
    takes 8 seconds, is looked at first. Whatever is wrong, the rest is looked at, too,
    but for what needs it.

    Args:
        train_config: The training configuration of the student.
        espnet_options: What `espnet2.bin.tts_train` would be given besides, such as
            `--token_list`. Without one, the first teacher's tokens are taken.
        vocoder_file: A vocoder that is to fit the student's mels.
        planned: Whether initial weights, statistics and the teachers' dump may be made
            later.

    Raises:
        ConfigError: All that would not work, each with the remedy.
    """
    from espnet_distill.experiments.experiment import config_of, read_keys
    from espnet_distill.tasks.options import DistillOptions
    from espnet_distill.vocoders import check_vocoder, is_none

    faults = ErrorCollector()
    conf = read_keys(train_config)
    if conf.get("tts") == "vocoder":
        from espnet_distill.tasks.checks.vocoder import check_vocoder_training

        if not is_none(vocoder_file):
            raise ConfigError("--vocoder_file: a vocoder is heard through no other")
        return check_vocoder_training(train_config, conf, espnet_options, planned)
    said = _said(conf, espnet_options)
    wanted = DistillOptions.read(said, faults)
    objectives = wanted.objectives_found(faults)
    callbacks = wanted.callbacks_found(faults)
    configs = [faults.check(config_of, item) for item in wanted.teachers]

    from espnet_distill.experiments.text_frontend import (
        require_bpemodel,
        require_tokens,
    )
    from espnet_distill.tasks.checks import distillation as check_taught
    from espnet_distill.tasks.checks import espnet as check_stock
    from espnet_distill.tasks.text2mel import (
        DistillTTSTask,
        require_own_trainer,
        require_read,
        require_text2mel,
    )
    from espnet_distill.training.callback import TrainingContext

    if not (said.teacher or said.callbacks):
        faults.lines.append(
            f"{train_config}: no key `teacher` or `callbacks`, so the plugin has "
            "nothing to do"
        )
    args = check_stock.parse(DistillTTSTask, train_config, conf, espnet_options, faults)
    faults.check(require_own_trainer, args, wanted)
    faults.check(check_stock.require_data, args)
    faults.check(require_bpemodel, vars(args), "student")
    faults.check(check_vocoder, vocoder_file, args.feats_extract_conf)
    chosen = faults.check(check_stock.require_choices, args)
    chosen = faults.check(require_text2mel, chosen)
    faults.check(require_read, chosen)
    args.token_list = faults.check(check_stock.tokens, args, configs)
    if args.use_preprocessor and args.token_type:
        faults.check(require_tokens, args.token_list, "student")
    teachers = check_taught.check_teachers(args, wanted.teachers, configs, faults)
    if wanted.dump:
        taps = wanted.targets_of(objectives)
        check_taught.check_dump(args, wanted, taps, planned, faults)

    student = faults.check(check_stock.build_student, chosen, args.token_list)
    check_taught.check_taps(student, wanted.teachers, teachers, objectives, faults)
    training = TrainingContext(student, (), check_stock.steps(args), args.max_epoch)
    check_taught.check_callbacks(args, callbacks, training, faults)
    faults.check(check_stock.require_schedule, args, student, training.steps)
    faults.check(check_stock.require_statistics, args, planned)
    faults.check(check_stock.require_initial, args, student, planned)
    faults.require_none()
    return check_taught.describe(student, teachers, objectives, wanted.callbacks)


def _said(conf: dict, espnet_options: list[str]) -> argparse.Namespace:
    """Return the plugin's keys, as the options change what the configuration says."""
    from espnet_distill.tasks import options

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_arguments(parser)
    own = vars(parser.parse_args([]))
    parser.set_defaults(**{key: value for key, value in conf.items() if key in own})
    return parser.parse_known_args(espnet_options)[0]


@contextlib.contextmanager
def _quietly():
    """Keep the chatter of ESPnet and what it imports (NLTK, pyworld) to itself."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
