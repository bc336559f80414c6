"""What would stop the training of a vocoder before it starts."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet_distill.errors import BROKEN, Faults
from espnet_distill.mel_spec import MelSpec
from espnet_distill.tasks import check_stock
from espnet_distill.tasks.mel2wav import (
    DistillGANTTSTask,
    build_vocoder_model,
    look_at_vocoder,
    vocoder_options,
)
from espnet_distill.tasks.options import DistillOptions


def check_vocoder_training(
    train_config: Path, conf: Mapping, espnet_options: Sequence[str], planned: bool
) -> str:
    """Look at generator, discriminator, mels, dump and optimizers; describe them.

    Args:
        train_config: Where the configuration was read from.
        conf: What it says.
        espnet_options: What `espnet2.bin.gan_tts_train` would be given besides.
        planned: Whether the dump may be made later.

    Raises:
        ConfigError: All that would not work, each with the remedy.
    """
    faults = Faults()
    task = DistillGANTTSTask
    args = check_stock.parse(task, train_config, conf, espnet_options, faults)
    mels = look_at_vocoder(args, faults, planned)
    wanted = faults.of(vocoder_options, args)
    model = faults.of(_build, args, wanted, mels)
    if model is not BROKEN:
        steps = check_stock.steps(args)
        for side in ("generator", "discriminator"):
            own, module = _optimizer_of(args, side), getattr(model.tts, side)
            check = check_stock.require_schedule
            faults.of(check, own, module, steps, where=f"{side}: ")
    faults.require_none()
    labels = ", ".join(item.label for item in model.tts.objectives)
    return f"{args.teacher_dump} -> {args.tts_conf['vocoder_type']} by {labels}"


def _build(args: argparse.Namespace, wanted: DistillOptions, mels: MelSpec):
    return build_vocoder_model(args, wanted.build_objectives())


def _optimizer_of(args: argparse.Namespace, side: str) -> argparse.Namespace:
    """Return the arguments with the optimizer of one side as the only one."""
    if side == "generator":
        return args
    second = {
        "optim": args.optim2,
        "optim_conf": args.optim2_conf,
        "scheduler": args.scheduler2,
        "scheduler_conf": args.scheduler2_conf,
    }
    return argparse.Namespace(**vars(args) | second)
