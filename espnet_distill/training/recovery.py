"""What follows checkpoint.pth in an experiment, made up for after a kill."""

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
    """Do what ESPnet does after it has written checkpoint.pth, where it is undone.

    The epoch's model is written anew if it is missing, truncated or another; latest.pth
    and the links to the best are set, and models that no ranking holds are removed.

    Args:
        checkpoint: The file that training resumes from.
        reporter: As it was when the checkpoint was written.
        options: The trainer's.
        average: Averages the n best, as `average_nbest_models` is called.
    """
    folder, epoch = checkpoint.parent, reporter.get_epoch()
    state = safe_torch_load(checkpoint, map_location="cpu")["model"]
    if not _holds(folder / f"{epoch}epoch.pth", state):
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


def _holds(path: Path, state: dict[str, torch.Tensor]) -> bool:
    """Tell whether a file can be read and holds a state."""
    try:
        found = safe_torch_load(path, map_location="cpu")
    except Exception:  # a file that is missing or truncated: each kind has its own
        return False
    return list(found) == list(state) and all(
        torch.equal(found[name], state[name]) for name in state
    )


def _link(path: Path, epoch: int) -> None:
    beside = path.with_name(f".{path.name}.link")
    beside.unlink(missing_ok=True)
    beside.symlink_to(f"{epoch}epoch.pth")
    os.replace(beside, path)
