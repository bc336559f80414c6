"""What taking structure away did to a model: its size, its speed, its outputs."""

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from espnet2.tts.abs_tts import AbsTTS
from torch.nn import functional

from espnet_distill.data.dummy_batch import dummy_batch
from espnet_distill.profiling.dummy_input import (
    FRAMES_PER_TOKEN,
    TOKENS,
    seconds_a_frame,
)
from espnet_distill.profiling.macs import parameters, size_mb
from espnet_distill.teachers.taps import TapRecorder
from espnet_distill.utils.markdown import aligned
from espnet_distill.utils.patching import patched
from espnet_distill.utils.validation import require_finite

EQUAL = 1e-4  # what rounding makes of outputs that are equal


@dataclass(frozen=True)
class Difference:
    """The largest difference between two models' outputs, and in which of them."""

    most: float
    tap: str
    sentences: int


def difference(
    models: tuple[AbsTTS, AbsTTS], losses: tuple[Iterator, Iterator]
) -> Difference:
    """Run two models side by side and compare all that they put out.

    Dropout that stays on in eval mode, of Tacotron2's prenet, is left out: it draws
    other units in each width.

    Args:
        models: The models, in eval mode.
        losses: For each of them what makes it run on sentence after sentence as it is
            drawn, the same sentences for both.

    Raises:
        ConfigError: Outputs that are NaN or infinite, which are equal to nothing.
    """
    recorders = [TapRecorder(tts) for tts in models]
    most, where, sentences = 0.0, "", 0
    while True:
        taps = []
        for recorder, ones in zip(recorders, losses):
            with torch.no_grad(), patched(functional, dropout=_without_dropout):
                if next(ones, None) is None:
                    return Difference(most, where, sentences)
            taps.append(recorder.taps.tensors)
        sentences += 1
        for which, tensors in zip(("whole", "smaller"), taps):
            where = f"outputs of the {which} model for sentence {sentences}"
            require_finite(tensors, where, "nothing was written")
        for name, tensor in taps[0].items():
            apart = (tensor - taps[1][name]).abs().max().item()
            if apart >= most:
                most, where = apart, name


def _without_dropout(x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
    return x


def dummy_losses(models: tuple[AbsTTS, AbsTTS]) -> tuple[Iterator, ...]:
    """For :func:`difference`, one sentence of random tokens and sounds."""
    generator = torch.Generator().manual_seed(0)
    batch = dummy_batch(models[0], TOKENS, FRAMES_PER_TOKEN)
    shape, last = batch["text"].shape, models[0].idim - 1
    batch["text"] = torch.randint(1, last, shape, generator=generator)
    for name in ("feats", "pitch", "energy"):
        if name in batch:
            batch[name] = torch.randn(batch[name].shape, generator=generator)
    return tuple((tts(**batch) for tts in [one]) for one in models)


def compressed_mb(path: Path) -> float:
    """Size of a file in MB (1e6 bytes) once gzip has compressed it."""
    return len(gzip.compress(path.read_bytes(), compresslevel=6)) / 1e6


def side_by_side(
    models: Sequence[AbsTTS],
    checkpoints: Sequence[Path],
    frames_a_second: float | None,
    is_sparse: bool,
) -> str:
    """Return a table of a model before and after: size, file, speed on one thread.

    Args:
        models: The two of them.
        checkpoints: Their files.
        frames_a_second: Mel frames in a second of speech; None, as of features that
            come with the data, has the table tell time by the frame.
        is_sparse: Whether zeros are left, which only compressing makes use of.
    """
    seconds = seconds_a_frame(models)
    rows = {
        "parameters": [f"{parameters(tts):,}" for tts in models],
        "MB on disk": [f"{size_mb(path):.2f}" for path in checkpoints],
    }
    if is_sparse:
        rows["MB on disk, gzip"] = [f"{compressed_mb(p):.2f}" for p in checkpoints]
    if frames_a_second is None:
        rows["ms a frame, one thread"] = [f"{1000 * one:.4f}" for one in seconds]
    else:
        rtf = [one * frames_a_second for one in seconds]
        rows["RTF, text to mel, one thread"] = [f"{one:.4f}" for one in rtf]
    columns = {"": list(rows)}
    for place, title in enumerate(("before", "after")):
        columns[title] = [cells[place] for cells in rows.values()]
    columns[""].append("faster")
    columns["before"].append(None)
    columns["after"].append(f"{seconds[0] / seconds[1]:.2f} ×")
    return aligned(columns)
