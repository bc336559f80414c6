"""Check the training configuration of a vocoder."""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.errors import INVALID, ConfigError, ErrorCollector
from espnet_distill.tasks.checks import espnet as check_espnet
from espnet_distill.tasks.mel2wav import (
    DistillGANTTSTask,
    build_vocoder_model,
    check_vocoder_conf,
)
from espnet_distill.tasks.options import DistillOptions
from espnet_distill.vocoders.training.gan import VocoderGAN


def check_vocoder_training(
    train_config: Path, conf: Mapping, espnet_options: Sequence[str], planned: bool
) -> str:
    """Check generator, discriminator, mels, dump and optimizers; describe them.

    Args:
        train_config: The path of the configuration.
        conf: Its content.
        espnet_options: Further options of `espnet2.bin.gan_tts_train`.
        planned: Whether the dump may be made later.

    Raises:
        ConfigError: All errors, each with its remedy.
    """
    faults = ErrorCollector()
    task = DistillGANTTSTask
    args = check_espnet.parse(task, train_config, conf, espnet_options, faults)
    faults.check(check_espnet.require_data, args)
    distill_options, mels = check_vocoder_conf(args, faults, planned)
    model = faults.check(_build, args, distill_options, mels)
    if model is not INVALID:
        steps = check_espnet.steps(args)
        for side in ("generator", "discriminator"):
            faults.check(_require_schedule, args, model.tts, side, steps)
    faults.require_none()
    labels = ", ".join(item.label for item in model.tts.objectives)
    return f"{args.teacher_dump} -> {args.tts_conf['vocoder_type']} by {labels}"


def _build(args: argparse.Namespace, distill_options: DistillOptions, mels: MelSpec):
    return build_vocoder_model(args, distill_options.build_objectives())


def _require_schedule(
    args: argparse.Namespace, tts: VocoderGAN, side: str, steps: int | None
) -> None:
    """Raise a ConfigError, with the keys of its side, for an invalid optimizer."""
    if side == "generator":
        check_espnet.require_schedule(args, tts.generator, steps)
        return
    second = {
        "optim": args.optim2,
        "optim_conf": args.optim2_conf,
        "scheduler": args.scheduler2,
        "scheduler_conf": args.scheduler2_conf,
    }
    side_args = argparse.Namespace(**vars(args) | second)
    try:
        check_espnet.require_schedule(side_args, tts.discriminator, steps)
    except ConfigError as error:
        keys = re.compile(r"^(optim|scheduler)")
        raise ConfigError(
            *(keys.sub(r"\g<1>2", line) for line in error.faults)
        ) from None
