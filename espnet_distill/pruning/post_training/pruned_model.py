"""A model that lost structure, written as an experiment and compared with the whole."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from espnet2.tasks.tts import TTSTask

from espnet_distill.data.calibration import calibration_losses
from espnet_distill.experiments.experiment import load_weights, read_config
from espnet_distill.experiments.portable_config import write_portable
from espnet_distill.experiments.writing import (
    save_weights,
    training_of,
    with_statistics_in,
    write_training,
)
from espnet_distill.pruning.post_training.comparison import (
    EQUAL,
    Difference,
    difference,
    dummy_losses,
    side_by_side,
)
from espnet_distill.structure.slicing import State
from espnet_distill.structure.zero_units import measure_sparsity
from espnet_distill.students.derive import frames_a_second
from espnet_distill.students.models.per_layer import SUFFIX
from espnet_distill.utils.files import folder_written_whole

WEIGHTS = "model.pth"


FEW = 0.01  # zeros, as a share, that a model has without being pruned


@dataclass(frozen=True)
class PrunedModel:
    """A choice of ``--tts``, its configuration and its weights."""

    name: str
    conf: dict
    state: State


def write_pruned(
    args: argparse.Namespace,
    files: tuple[Path, Path],
    loaded: tuple,
    smaller: PrunedModel,
) -> list[str]:
    """Write ``config.yaml``, ``model.pth``, ``train.yaml`` and statistics.

    The weights are saved in the precision of the whole experiment's.

    Args:
        args: ``out``, ``data`` and ``durations`` of a command.
        files: Configuration and checkpoint of the whole experiment.
        loaded: Its model and namespace.
        smaller: What is left of the model.

    Returns:
        What to print of it: sizes and speed, outputs, and what it needs.
    """
    whole, names = loaded
    heard = args.data and calibration_losses(args.data, args.durations, whole, names)
    conf = read_config(files[0]) | {"tts": smaller.name, "tts_conf": smaller.conf}
    model = _build(conf, smaller.state)
    with folder_written_whole(args.out) as beside:
        like = load_weights(files[1], device="meta")
        save_weights(beside / WEIGHTS, model, whole, like)
        portable = with_statistics_in(conf, beside, args.out)
        write_portable(portable, beside / "config.yaml")
        write_training(beside, training_of(conf), args.out / WEIGHTS)
        model.load_state_dict(torch.load(beside / WEIGHTS, weights_only=True))
        both = whole.tts, model.tts
        if heard:
            pair = heard, calibration_losses(args.data, args.durations, model, names)
        else:
            pair = dummy_losses(both)
        found = difference(both, pair)
        weights = files[1], beside / WEIGHTS
        is_sparse = measure_sparsity(model.tts) >= FEW
        table = side_by_side(both, weights, frames_a_second(whole), is_sparse)
    return [table, _said(found, args), *_needs(smaller.name, args.out, found)]


def _build(conf: dict, state: State):
    """An ESPnetTTSModel in eval mode with these weights, and no other, in its tts."""
    model = TTSTask.build_model(argparse.Namespace(**conf)).eval()
    wanted = model.tts.state_dict()
    fitted = {
        name: tensor.view_as(wanted[name]) if name in wanted else tensor
        for name, tensor in state.items()
    }
    model.tts.load_state_dict(fitted)
    return model


def _said(found: Difference, args: argparse.Namespace) -> str:
    said = f"{found.sentences} sentences of {args.data}"
    return (
        "Largest difference of the outputs, on "
        f"{said if args.data else 'a made-up sentence'}: {found.most:.1e} "
        f"({found.tap})."
    )


def _needs(name: str, out: Path, found: Difference) -> list[str]:
    """How to mend and to use what was written, where that takes more than stock."""
    python = '--python "python3 -m espnet_distill" ' if name.endswith(SUFFIX) else ""
    lines = []
    if found.most > EQUAL:
        lines.append(
            "The outputs are not those of the whole model; to train on: ./run.sh "
            f"{python}--stage 7 --stop_stage 7 --train_config {out / 'train.yaml'} "
            f"--tag {out.name}"
        )
    if python:
        lines.append(
            f"tts: {name} needs the plugin at inference, too: no stock configuration "
            "says its layers."
        )
    return lines
