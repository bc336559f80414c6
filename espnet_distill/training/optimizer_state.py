"""Additional training state, saved in the optimizer's state.

ESPnet's checkpoint.pth holds model, optimizers, schedulers and reporter. State that a
resume needs and that is not part of the model is stored in the optimizer's state.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import torch

from espnet_distill.errors import ConfigError, summarize

TEACHERS = "espnet_distill"


CALLBACKS = "espnet_distill_callbacks"


CONTENT = {TEACHERS: "teachers or objectives", CALLBACKS: "callbacks"}


class OptimizerPayload(Protocol):
    """An object whose state is saved with the optimizer's."""

    def state_dict(self) -> dict: ...

    def require_same(self, state: dict | None) -> None:
        """Raise a ConfigError if it cannot resume from a state; change nothing."""

    def load_state_dict(self, state: dict): ...


def save_with(
    optimizer: torch.optim.Optimizer, payloads: dict[str, OptimizerPayload]
) -> None:
    """Save and load the states of payloads with the optimizer's state.

    Loading raises a ConfigError if the checkpoint was written with other payloads, or
    with payloads where none are given.

    Args:
        optimizer: An optimizer that ESPnet saves in its checkpoint.
        payloads: By keys of the optimizer's state, TEACHERS or CALLBACKS.
    """

    def save(optimizer, state):
        for key, payload in payloads.items():
            state[key] = payload.state_dict()

    def load(optimizer, state):
        for key in CONTENT:
            _load(key, payloads.get(key), state.get(key))
        return {key: value for key, value in state.items() if key not in CONTENT}

    optimizer.register_state_dict_post_hook(save)
    optimizer.register_load_state_dict_pre_hook(load)


def require_resumable(
    checkpoint: Path, model: torch.nn.Module, payloads: dict[str, OptimizerPayload]
) -> None:
    """Raise a ConfigError if a run cannot resume from a checkpoint; change nothing.

    Args:
        checkpoint: A training's checkpoint.pth.
        model: The model to train; compared with the checkpoint only if there are
            payloads.
        payloads: See `save_with`.
    """
    try:
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
        weights, optimizer = saved["model"], saved["optimizers"][0]
    except Exception as error:  # zip, pickle and I/O raise different classes
        reason = str(error).partition(". ")[0] or type(error).__name__
        raise ConfigError(
            f"{checkpoint}: not a readable checkpoint of a training "
            f"({' '.join(reason.split())}); copy it again, or train into another "
            "output_dir"
        ) from error
    for key in CONTENT:
        _require_same(key, payloads.get(key), optimizer.get(key))
    if payloads:
        _require_same_shapes(checkpoint, model.state_dict(), weights)


def _require_same_shapes(checkpoint: Path, current: dict, saved: dict) -> None:
    for name in sorted(current.keys() | saved.keys()):
        shapes = [
            tuple(state[name].shape) if name in state else "none"
            for state in (current, saved)
        ]
        if shapes[0] != shapes[1]:
            raise ConfigError(
                f"{checkpoint}: is of another model: {name} has shape {shapes[1]} "
                f"there, {shapes[0]} here; train into another output_dir"
            )


def _load(key: str, payload: OptimizerPayload | None, state: dict | None) -> None:
    _require_same(key, payload, state)
    if payload is not None and state is not None:
        with _report_mismatch(key):
            payload.load_state_dict(state)


def _require_same(
    key: str, payload: OptimizerPayload | None, state: dict | None
) -> None:
    with _report_mismatch(key):
        if payload is not None:
            payload.require_same(state)
        elif state is not None:
            raise ConfigError("this run has none")


@contextlib.contextmanager
def _report_mismatch(key: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ConfigError) as error:
        raise ConfigError(
            f"checkpoint.pth: was written with other {CONTENT[key]} "
            f"({summarize(error)}); resume with those, or train into another "
            "output_dir"
        ) from error
