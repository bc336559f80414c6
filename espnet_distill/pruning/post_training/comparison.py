"""Compare a pruned experiment with its origin: size, speed and outputs."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from espnet2.tts.abs_tts import AbsTTS
from torch.nn import functional

from espnet_distill.data.calibration import read_calibration
from espnet_distill.data.dummy_batch import dummy_batch
from espnet_distill.experiments.experiment import Experiment, require_origin
from espnet_distill.profiling.dummy_input import (
    FRAMES_PER_TOKEN,
    TOKENS,
    seconds_a_frame,
)
from espnet_distill.profiling.macs import parameters
from espnet_distill.pruning.post_training import text_to_wave
from espnet_distill.pruning.post_training.compact import FEW
from espnet_distill.pruning.post_training.next_steps import fine_tuning, synthesis
from espnet_distill.structure.statistics.calibration import Calibration
from espnet_distill.structure.zero_units import measure_sparsity
from espnet_distill.students.models.per_layer import SUFFIX
from espnet_distill.students.registry import SYNTHESIZERS
from espnet_distill.teachers.taps import TapRecorder
from espnet_distill.utils.markdown import aligned
from espnet_distill.utils.patching import patched
from espnet_distill.utils.validation import require_finite

EQUAL = 1e-4  # largest difference of equal outputs, by rounding


def compare(
    pruned: Experiment,
    *,
    data: str | Path | None = None,
    durations: str | Path | None = None,
    folder: str | Path | None = None,
) -> str:
    """Compare a pruned experiment with the one that it was made from.

    Args:
        pruned: A result of :func:`~.prune` or :func:`~.compact`.
        data: ESPnet data folder (``text``, ``wav.scp``) whose first utterances the
            outputs are compared on; None compares them on one sentence of random
            tokens.
        durations: ESPnet durations file of ``data``: frames per token, for a model
            that is trained with durations.
        folder: The folder of the pruned experiment; with it, the report has the
            commands that train on, synthesize and evaluate.

    Returns:
        A Markdown report: parameters, file size (MB) and RTF before and after, the
        largest difference of the outputs, and the notes of the pruned experiment.

    Raises:
        ConfigError: An experiment that was opened from disk, data that the model cannot
            use, or outputs that are NaN or infinite.
    """
    both = require_origin(pruned), pruned
    largest = _largest_difference(both, data, durations)
    where = f"{largest.sentences} sentences of {data}" if data else "random tokens"
    lines = [
        _side_by_side(both),
        f"Largest difference of the outputs, on {where}: {largest.most:.1e} "
        f"({largest.tap}).",
        *_next_steps(pruned.config["tts"], folder, largest),
    ]
    return "\n\n".join([*lines, "\n".join(pruned.notes)])


def _largest_difference(
    both: tuple[Experiment, Experiment],
    data: str | Path | None,
    durations: str | Path | None,
) -> "Difference":
    models = tuple(one.model.tts for one in both)
    if both[1].config["tts"] in text_to_wave.FACTORIZED:
        if data:
            sentences = text_to_wave.sentences_of(both[0], Path(data))
        else:
            sentences = [text_to_wave.random_sentence(models[0])]
        most = text_to_wave.largest_difference(*models, sentences)
        return Difference(most, text_to_wave.COMPARED, len(sentences))
    if data:
        calibrations = [read_calibration(one, data, durations) for one in both]
    else:
        calibrations = dummy_calibrations(models)
    return difference(models, calibrations)


@dataclass(frozen=True)
class Difference:
    """The largest difference of two models' outputs.

    Attributes:
        most: The difference.
        tap: The output that has it.
        sentences: Number of sentences compared.
    """

    most: float
    tap: str
    sentences: int


def difference(
    models: tuple[AbsTTS, AbsTTS], calibrations: Sequence[Calibration]
) -> Difference:
    """Run two models on the same sentences and compare all of their taps.

    Dropout that stays on in eval mode, of Tacotron2's prenet, is disabled: it draws
    other units in each width.

    Args:
        models: The models, in eval mode.
        calibrations: The same sentences for each of them.

    Raises:
        ConfigError: An output is NaN or infinite.
    """
    recorders = [TapRecorder(tts) for tts in models]
    most, where, sentences = 0.0, "", 0
    for batches in zip(*(one.batches for one in calibrations), strict=True):
        taps = []
        for recorder, calibration, batch in zip(recorders, calibrations, batches):
            with torch.no_grad(), patched(functional, dropout=_without_dropout):
                calibration.loss(batch)
            taps.append(recorder.taps.tensors)
        sentences += 1
        for which, tensors in zip(("original", "pruned"), taps):
            source = f"outputs of the {which} model for sentence {sentences}"
            require_finite(tensors, source, "nothing was written")
        for name, tensor in taps[0].items():
            apart = (tensor - taps[1][name]).abs().max().item()
            if apart >= most:
                most, where = apart, name
    return Difference(most, where, sentences)


def _without_dropout(x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
    return x


def dummy_calibrations(models: Sequence[AbsTTS]) -> list[Calibration]:
    """Return one sentence of random tokens and features for each model."""
    generator = torch.Generator().manual_seed(0)
    batch = dummy_batch(models[0], TOKENS, FRAMES_PER_TOKEN)
    shape, last = batch["text"].shape, models[0].idim - 1
    batch["text"] = torch.randint(1, last, shape, generator=generator)
    for name in ("feats", "pitch", "energy"):
        if name in batch:
            batch[name] = torch.randn(batch[name].shape, generator=generator)
    return [Calibration([batch], lambda batch, tts=tts: tts(**batch)) for tts in models]


def _side_by_side(both: tuple[Experiment, Experiment]) -> str:
    """Return a table of size, checkpoint and speed on one thread, before and after."""
    models, files = [], []
    for experiment in both:
        models.append(experiment.model.tts)
        files.append(experiment.checkpoint_bytes())
    if both[1].config["tts"] in text_to_wave.FACTORIZED:
        seconds = text_to_wave.seconds_a_frame(models)
        rate, stage = text_to_wave.frames_per_second(models[0]), "text to wave"
    else:
        seconds, rate = seconds_a_frame(models), both[0].frames_per_second
        stage = "text to mel"
    rows = {
        "parameters": [f"{parameters(tts):,}" for tts in models],
        "MB on disk": [f"{len(file) / 1e6:.2f}" for file in files],
    }
    if measure_sparsity(models[1]) >= FEW:  # zeros save space once compressed
        packed = [gzip.compress(file, compresslevel=6) for file in files]
        rows["MB on disk, gzip"] = [f"{len(file) / 1e6:.2f}" for file in packed]
    if rate is None:
        rows["ms a frame, one thread"] = [f"{1000 * one:.4f}" for one in seconds]
    else:
        rtf = [one * rate for one in seconds]
        rows[f"RTF, {stage}, one thread"] = [f"{one:.4f}" for one in rtf]
    columns = {"": list(rows)}
    for place, title in enumerate(("before", "after")):
        columns[title] = [cells[place] for cells in rows.values()]
    columns[""].append("faster")
    columns["before"].append(None)
    columns["after"].append(f"{seconds[0] / seconds[1]:.2f} ×")
    return aligned(columns)


def _next_steps(name: str, folder: str | Path | None, largest: Difference) -> list[str]:
    """Return how to train the pruned model on and how to use it."""
    synthesizes_only = name in SYNTHESIZERS
    needs_plugin = name.endswith(SUFFIX) or synthesizes_only
    lines = []
    if folder:
        folder = Path(folder)
        if largest.most > EQUAL and not synthesizes_only:
            lines.append(
                "The outputs differ from the original model's; to fine-tune: "
                + fine_tuning(folder, needs_plugin)
            )
        lines.append(f"To synthesize and evaluate: {synthesis(folder, needs_plugin)}")
    if needs_plugin:
        left_out = " What only training needs is left out." if synthesizes_only else ""
        lines.append(
            f"tts: {name} needs the plugin at inference, too: no stock configuration "
            f"describes its layers.{left_out}"
        )
    return lines
