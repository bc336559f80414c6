"""The interface of a callback, and the training that it is given."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from espnet_distill.errors import ConfigError


@dataclass
class TrainingContext:
    """A training that is about to begin or to go on.

    Attributes:
        model: What trains, not wrapped for several processes.
        optimizers: Its optimizers.
        steps: Optimizer steps of the whole training, or None where nobody knows.
        epochs: Epochs of the whole training.
        output_dir: Where it writes, or None.
    """

    model: nn.Module
    optimizers: Sequence[torch.optim.Optimizer] = ()
    steps: int | None = None
    epochs: int | None = None
    output_dir: Path | None = None


class Callback:
    """Is called during a training; each method may do nothing.

    Steps are the optimizer's and epochs count from 1; both go on after a resume.
    """

    @classmethod
    def from_conf(cls, conf: Mapping, name: str, where: str) -> "Callback":
        """Build a callback from its keys in YAML, by default as keyword arguments.

        Args:
            conf: The keys but for `type`.
            name: Its `type`.
            where: What its messages start with later.

        Raises:
            ConfigError: Keys that it does not take, or lacks.
        """
        try:
            inspect.signature(cls).bind(**conf)
        except TypeError as error:
            raise ConfigError(f"{name}: {error}") from None
        return cls(**conf)

    def use_model_conf(self, tts_conf: Mapping) -> None:
        """Take what the model's `tts` was built with, before `attach`."""

    def attach(self, model: nn.Module) -> None:
        """Take a model before its optimizers are built.

        Raises:
            ConfigError: What the callback is told does not fit the model.
        """

    def on_train_start(self, training: TrainingContext) -> None:
        """Before the first step, after a checkpoint has been loaded.

        Raises:
            ConfigError: What the callback is told does not fit the training.
        """

    def require_end_within(self, training: TrainingContext) -> None:
        """Without a model, raise a ConfigError if a training ends too early."""

    def on_step_end(self, step: int) -> None:
        """After the optimizer's step, while the gradients are still there."""

    def on_epoch_end(self, epoch: int) -> None:
        """After the training part of an epoch, before its validation."""

    def on_train_end(self) -> None:
        """After the last epoch."""

    @property
    def is_final(self) -> bool:
        """Tell whether the model has its final structure, so that it may be chosen."""
        return True

    def statistics(self) -> dict[str, float]:
        """Return what the log is to show, with the same keys at every step."""
        return {}

    def state_dict(self) -> dict:
        """Return what a resume needs: tensors and plain types."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Go on from a state."""
