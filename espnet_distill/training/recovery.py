"""Recover the files that ESPnet writes after checkpoint.pth."""

import os
from collections.abc import Callable
from pathlib import Path

import torch
from espnet2.torch_utils.safe_torch_load import safe_torch_load
from espnet2.train.reporter import Reporter
from espnet2.train.trainer import TrainerOptions


def recover_files(
    checkpoint: Path, reporter: Reporter, options: TrainerOptions, average: Callable
) -> None:
    """Complete the files that a killed run has not written after checkpoint.pth.

    The epoch's model is written if it is missing, truncated or different; latest.pth
    and the links to the best models are set, and models outside every ranking are
    removed.

    Args:
        checkpoint: The file that training resumes from.
        reporter: The reporter of the checkpoint.
        options: The trainer's options.
        average: Averages the n best models, called like `average_nbest_models`.
    """
    folder, epoch = checkpoint.parent, reporter.get_epoch()
    state = safe_torch_load(checkpoint, map_location="cpu")["model"]
    if not _contains_state(folder / f"{epoch}epoch.pth", state):
        torch.save(state, folder / f"{epoch}epoch.pth")
    _link(folder / "latest.pth", epoch)
    kept = {epoch}
    counts = options.keep_nbest_models
    counts = [counts] if isinstance(counts, int) else counts or [1]
    for phase, key, mode in options.best_model_criterion:
        if reporter.has(phase, key):
            ranked = reporter.sort_epochs(phase, key, mode)
            kept |= set(ranked[: max(counts)])
            if ranked:
                _link(folder / f"{phase}.{key}.best.pth", ranked[0])
    interval = options.nbest_averaging_interval
    if interval > 0 and epoch % interval == 0:
        average(
            reporter=reporter,
            output_dir=folder,
            best_model_criterion=options.best_model_criterion,
            nbest=counts,
            suffix=f"till{epoch}epoch",
        )
    for other in range(1, epoch):
        if other not in kept:
            (folder / f"{other}epoch.pth").unlink(missing_ok=True)


def _contains_state(path: Path, state: dict[str, torch.Tensor]) -> bool:
    """Return True if a file is readable and contains a state."""
    try:
        saved = safe_torch_load(path, map_location="cpu")
    except Exception:  # missing and truncated files raise different classes
        return False
    return list(saved) == list(state) and all(
        torch.equal(saved[name], state[name]) for name in state
    )


def _link(path: Path, epoch: int) -> None:
    temporary = path.with_name(f".{path.name}.link")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(f"{epoch}epoch.pth")
    os.replace(temporary, path)
