"""Interface of training callbacks."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from espnet_distill.errors import ConfigError


@dataclass
class TrainingContext:
    """A training that starts or resumes.

    Attributes:
        model: The model, not wrapped for several processes.
        optimizers: The model's optimizers.
        steps: Optimizer steps of the whole training, or None if unknown.
        epochs: Epochs of the whole training, or None if unlimited.
        output_dir: Output folder of the training, or None.
    """

    model: nn.Module
    optimizers: Sequence[torch.optim.Optimizer] = ()
    steps: int | None = None
    epochs: int | None = None
    output_dir: Path | None = None


class Callback:
    """Base class of callbacks; every method is optional.

    Steps are optimizer steps and epochs count from 1; both continue after a resume.
    """

    @classmethod
    def from_conf(cls, conf: Mapping, name: str, where: str) -> "Callback":
        """Build a callback from its keys in YAML, by default as keyword arguments.

        Args:
            conf: The keys without `type`.
            name: The `type`.
            where: Prefix of later error messages.

        Raises:
            ConfigError: A key is unknown or missing.
        """
        try:
            inspect.signature(cls).bind(**conf)
        except TypeError as error:
            raise ConfigError(f"{name}: {error}") from None
        return cls(**conf)

    def use_model_conf(self, tts_conf: Mapping) -> None:
        """Store the arguments of the model's `tts`; called before `attach`."""

    def attach(self, model: nn.Module) -> None:
        """Attach to a model, before its optimizers are built.

        Raises:
            ConfigError: The options do not fit the model.
        """

    def on_train_start(self, training: TrainingContext) -> None:
        """Called before the first step, after a checkpoint has been loaded.

        Raises:
            ConfigError: The options do not fit the training.
        """

    def require_end_within(self, training: TrainingContext) -> None:
        """Raise a ConfigError if the training is too short; needs no model."""

    def on_step_end(self, step: int) -> None:
        """Called after a step of the optimizer, before its gradients are cleared."""

    def on_epoch_end(self, epoch: int) -> None:
        """Called after the training part of an epoch, before its validation."""

    def on_train_end(self) -> None:
        """Called after the last epoch."""

    @property
    def is_final(self) -> bool:
        """True if the model has its final structure, so that its epoch is eligible."""
        return True

    def statistics(self) -> dict[str, float]:
        """Return values for the log, with the same keys at every step."""
        return {}

    def state_dict(self) -> dict:
        """Return the state for a resume: tensors and plain types."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Restore a state."""
