"""Write a pruned model as an experiment and compare it with the original."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from espnet2.tasks.tts import TTSTask
from espnet2.train.abs_espnet_model import AbsESPnetModel

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


FEW = 0.01  # sparsity that a model may have without being pruned


@dataclass(frozen=True)
class PrunedModel:
    """A choice of ``--tts``, its configuration and its weights."""

    name: str
    conf: dict
    state: State


@dataclass(frozen=True)
class Original:
    """The experiment that was pruned.

    Attributes:
        config: Its configuration file.
        checkpoint: Its weights file.
        model: The ESPnetTTSModel, with its weights.
        names: Its configuration as a namespace.
    """

    config: Path
    checkpoint: Path
    model: AbsESPnetModel
    names: argparse.Namespace


def write_pruned(
    out: Path,
    pruned: PrunedModel,
    original: Original,
    *,
    data: Path | None = None,
    durations: Path | None = None,
) -> list[str]:
    """Write ``config.yaml``, ``model.pth``, ``train.yaml`` and statistics.

    The weights are saved in the precision of the original's.

    Args:
        out: The folder to make.
        pruned: The pruned model.
        original: The experiment that it was made from.
        data: ESPnet data folder whose first utterances the outputs are compared on;
            None compares them on one sentence of random tokens.
        durations: Frames per token of ``data``.

    Returns:
        Paragraphs of a report: a table of sizes and speeds, the largest difference of
        the outputs, and how to train on and to use the pruned model.
    """
    whole, names = original.model, original.names
    losses = data and calibration_losses(data, durations, whole, names)
    conf = read_config(original.config)
    conf |= {"tts": pruned.name, "tts_conf": pruned.conf}
    model = _build(conf, pruned.state)
    with folder_written_whole(out) as beside:
        like = load_weights(original.checkpoint, device="meta")
        save_weights(beside / WEIGHTS, model, whole, like)
        portable = with_statistics_in(conf, beside, out)
        write_portable(portable, beside / "config.yaml")
        write_training(beside, training_of(conf), out / WEIGHTS)
        model.load_state_dict(torch.load(beside / WEIGHTS, weights_only=True))
        models = whole.tts, model.tts
        if losses:
            both = losses, calibration_losses(data, durations, model, names)
        else:
            both = dummy_losses(models)
        largest = difference(models, both)
        table = side_by_side(
            models,
            (original.checkpoint, beside / WEIGHTS),
            frames_a_second(whole),
            is_sparse=measure_sparsity(model.tts) >= FEW,
        )
    return [table, _describe(largest, data), *_next_steps(pruned.name, out, largest)]


def _build(conf: dict, state: State):
    """Return an ESPnetTTSModel in eval mode whose tts has exactly these weights."""
    model = TTSTask.build_model(argparse.Namespace(**conf)).eval()
    shapes = model.tts.state_dict()
    fitted = {
        name: tensor.view_as(shapes[name]) if name in shapes else tensor
        for name, tensor in state.items()
    }
    model.tts.load_state_dict(fitted)
    return model


def _describe(largest: Difference, data: Path | None) -> str:
    """Return the largest difference of the outputs as a sentence."""
    where = f"{largest.sentences} sentences of {data}" if data else "a made-up sentence"
    return (
        f"Largest difference of the outputs, on {where}: {largest.most:.1e} "
        f"({largest.tap})."
    )


def _next_steps(name: str, out: Path, largest: Difference) -> list[str]:
    """Return how to train on and to use the pruned model, where stock use differs."""
    python = '--python "python3 -m espnet_distill" ' if name.endswith(SUFFIX) else ""
    lines = []
    if largest.most > EQUAL:
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
