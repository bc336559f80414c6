"""Several callbacks as one, with what they share: steps, choice of epochs, history."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from espnet_distill.errors import ConfigError
from espnet_distill.training.callback import Callback, TrainingContext
from espnet_distill.training.history import History


class Callbacks(Callback):
    """Passes on to each callback what a driver says, and keeps count.

    Attributes:
        step: Steps that the optimizer has taken; one that AMP skips is none.
        not_final_until: The last epoch that must not be chosen as best or averaged.
        history: How the statistics of sparsity moved, and the validation's loss.
    """

    def __init__(self, callbacks: Sequence[Callback] = (), confs: Sequence[dict] = ()):
        """Take callbacks and the mappings that they were built from.

        A run resumes only with the mappings that it began with.
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

    def listen(self, optimizer: torch.optim.Optimizer) -> RemovableHandle:
        """Follow an optimizer's steps, until the handle removes it."""
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
        self.history.see(step, self.statistics())

    def on_epoch_end(self, epoch: int) -> None:
        for callback in self.callbacks:
            callback.on_epoch_end(epoch)
        self.history.see(self.step, self.statistics())
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
        """Tell whether the model had its final structure for the whole of an epoch.

        Else a loss of the training would partly be that of the larger model. The last
        epoch may be chosen if it only ended so: there is no other.
        """
        return epoch > self.not_final_until

    def statistics(self) -> dict[str, float]:
        """Return those of all; a name that is taken gets the callback's number."""
        found: dict[str, float] = {}
        for number, callback in enumerate(self.callbacks, 1):
            for name, value in callback.statistics().items():
                found[f"{name}_{number}" if name in found else name] = value
        return found

    def state_dict(self) -> dict:
        return {
            "confs": self.confs,
            "step": self.step,
            "unsettled_until": self.not_final_until,
            "began_settled": self._began_final,
            "history": self.history.state_dict(),
            "states": [callback.state_dict() for callback in self.callbacks],
        }

    def require_same(self, state: dict | None) -> None:
        """Raise a ConfigError if a state is not of these callbacks and settings."""
        confs = state and state["confs"]
        if confs != self.confs:
            raise ConfigError(f"callbacks: the run began with {confs or 'none'}")

    def load_state_dict(self, state: dict) -> None:
        """Go on from a state.

        Raises:
            ConfigError: It is of other callbacks, or of the same with other settings.
        """
        self.require_same(state)
        self.step = state["step"]
        self.not_final_until = state["unsettled_until"]
        self._began_final = state["began_settled"]
        self.history.load_state_dict(state["history"])
        for callback, own in zip(self.callbacks, state["states"]):
            callback.load_state_dict(own)
