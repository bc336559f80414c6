"""A list of callbacks with their common state: steps, eligible epochs, history."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from espnet_distill.errors import ConfigError
from espnet_distill.training.callback import Callback, TrainingContext
from espnet_distill.training.history import History


class Callbacks(Callback):
    """Calls each callback of a list, and counts steps.

    Attributes:
        step: Number of optimizer steps, without those that AMP skips.
        not_final_until: The last epoch that is not eligible as best or for averaging.
        history: Sparsity and validation loss over steps.
    """

    def __init__(self, callbacks: Sequence[Callback] = (), confs: Sequence[dict] = ()):
        """Store callbacks and their configurations.

        A run resumes only with the configurations that it began with.
        """
        self.callbacks = list(callbacks)
        self.confs = list(confs)
        self.step = 0
        self.not_final_until = 0
        self.history = History()
        self._began_final = False
        self._epochs: int | None = None

    def __bool__(self) -> bool:
        return bool(self.callbacks)

    def hook_steps(self, optimizer: torch.optim.Optimizer) -> RemovableHandle:
        """Register a hook on an optimizer's steps; return its handle."""
        return optimizer.register_step_post_hook(self._after_step)

    def _after_step(self, optimizer, args, kwargs) -> None:
        overflowed = getattr(optimizer, "found_inf", None)  # fused, under AMP
        if overflowed is None or not overflowed.item():
            self.on_step_end(self.step + 1)

    def attach(self, model: nn.Module) -> None:
        for callback in self.callbacks:
            callback.attach(model)

    def on_train_start(self, training: TrainingContext) -> None:
        for callback in self.callbacks:
            callback.on_train_start(training)
        self._epochs = training.epochs
        if not self.step:
            self._began_final = self.is_final

    def on_step_end(self, step: int) -> None:
        self.step = step
        for callback in self.callbacks:
            callback.on_step_end(step)
        self.history.record(step, self.statistics())

    def on_epoch_end(self, epoch: int) -> None:
        for callback in self.callbacks:
            callback.on_epoch_end(epoch)
        self.history.record(self.step, self.statistics())
        if not self.is_final or not (self._began_final or epoch == self._epochs):
            self.not_final_until = epoch
        self._began_final = self.is_final

    def on_train_end(self) -> None:
        for callback in self.callbacks:
            callback.on_train_end()

    @property
    def is_final(self) -> bool:
        return all(callback.is_final for callback in self.callbacks)

    def is_eligible(self, epoch: int) -> bool:
        """Return True if an epoch may be chosen as best or averaged.

        The model must have its final structure from the epoch's first step on;
        otherwise the training loss is partly that of the larger model. The last epoch
        is eligible if the model has its final structure at the end.
        """
        return epoch > self.not_final_until

    def statistics(self) -> dict[str, float]:
        """Merge the statistics of all callbacks; duplicate names get a number."""
        merged: dict[str, float] = {}
        for number, callback in enumerate(self.callbacks, 1):
            for name, value in callback.statistics().items():
                merged[f"{name}_{number}" if name in merged else name] = value
        return merged

    def state_dict(self) -> dict:
        return {
            "confs": self.confs,
            "step": self.step,
            "not_final_until": self.not_final_until,
            "began_final": self._began_final,
            "history": self.history.state_dict(),
            "states": [callback.state_dict() for callback in self.callbacks],
        }

    def require_same(self, state: dict | None) -> None:
        """Raise a ConfigError if a state is of other callbacks or settings."""
        confs = state and state["confs"]
        if confs != self.confs:
            raise ConfigError(f"callbacks: the run began with {confs or 'none'}")

    def load_state_dict(self, state: dict) -> None:
        """Restore a state.

        Raises:
            ConfigError: The state is of other callbacks or settings.
        """
        self.require_same(state)
        self.step = state["step"]
        self.not_final_until = state["not_final_until"]
        self._began_final = state["began_final"]
        self.history.load_state_dict(state["history"])
        for callback, callback_state in zip(self.callbacks, state["states"]):
            callback.load_state_dict(callback_state)
