"""Driver of callbacks for Lightning, and for ESPnet3's trainer.

```yaml
trainer:
  callbacks:
    - _target_: espnet_distill.training.lightning.build_lightning_callback
      type: prune
      pressure: 0.5
      end: 12000
```
"""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy

from espnet_distill.errors import ConfigError
from espnet_distill.training.callback import Callback, TrainingContext
from espnet_distill.training.callback_list import Callbacks
from espnet_distill.training.history import describe, plot
from espnet_distill.training.registry import build_callback

WHERE = "trainer.callbacks"


def build_lightning_callback(**conf) -> "LightningCallback":
    """Build a Lightning callback from the keys of a task's `callbacks:` item."""
    conf = _plain(conf)
    return LightningCallback(build_callback(conf, WHERE), conf)


class LightningCallback(lightning.pytorch.callbacks.Callback):
    """Drives a callback from a Lightning training.

    Best models, their average and early stopping restart with the first eligible epoch,
    in which the model has its final structure from the first step on.
    """

    def __init__(self, callback: Callback, conf: Mapping = {}):
        """Wrap a callback.

        Args:
            callback: The callback; its model is `pl_module.model` if there is one, else
                the module itself.
            conf: Its configuration; a run resumes only with the same one.
        """
        self.callback = callback
        self.conf = dict(conf)
        self.callbacks = Callbacks([callback], [self.conf])
        self._hook = None
        self._validated = 0  # the last validated epoch, from 1

    @property
    def state_key(self) -> str:
        return self._generate_state_key(**self.conf)

    def setup(self, trainer, pl_module, stage: str) -> None:
        """Attach the model, before a checkpoint is loaded and optimizers are built."""
        if stage != "fit":
            return
        if not isinstance(trainer.strategy, (SingleDeviceStrategy, DDPStrategy)):
            raise ConfigError(
                f"{WHERE}: {self.conf.get('type', 'a callback')} requires unsharded "
                f"parameters, not {type(trainer.strategy).__name__}; use ddp"
            )
        model = _model_of(pl_module)
        if hasattr(model, "tts") and "tts_conf" in _conf_of(pl_module):
            self.callback.use_model_conf(_plain(_conf_of(pl_module)["tts_conf"]))
        self.callbacks.attach(model)

    def on_train_start(self, trainer, pl_module) -> None:
        steps, epochs = trainer.estimated_stepping_batches, trainer.max_epochs
        checkpoints = trainer.checkpoint_callback
        self._hook = self.callbacks.hook_steps(trainer.optimizers[0])
        self.callbacks.on_train_start(
            TrainingContext(
                _model_of(pl_module),
                trainer.optimizers,
                None if math.isinf(steps) else steps,
                None if epochs in (None, -1) else epochs,
                Path(checkpoints.dirpath) if checkpoints else None,
            )
        )

    def on_train_batch_end(
        self, trainer, pl_module, outputs, batch, batch_idx: int
    ) -> None:
        if trainer.is_last_batch:  # validation comes before Lightning's epoch ends
            self.callbacks.on_epoch_end(trainer.current_epoch + 1)
        values = self.callbacks.statistics()
        pl_module.log_dict({f"train/{name}": value for name, value in values.items()})

    def on_validation_start(self, trainer, pl_module) -> None:
        if trainer.sanity_checking:
            return
        last, self._validated = self._validated, trainer.current_epoch + 1
        if self.callbacks.is_eligible(last):
            return
        for other in trainer.callbacks:
            if isinstance(other, ModelCheckpoint) and other.monitor:
                _forget_best(other, trainer.strategy)
            elif isinstance(other, EarlyStopping):
                _reset_stopping(other)

    def on_validation_end(self, trainer, pl_module) -> None:
        loss = trainer.callback_metrics.get("valid/loss")
        if loss is not None and not trainer.sanity_checking:
            self.callbacks.history.record_loss(self.callbacks.step, float(loss))

    def on_train_end(self, trainer, pl_module) -> None:
        self._hook.remove()
        self.callbacks.on_train_end()
        history, checkpoints = self.callbacks.history, trainer.checkpoint_callback
        if not trainer.is_global_zero:
            return
        for line in describe(history):
            logging.info(line)
        if checkpoints and history.sparsities:
            plot(history, Path(checkpoints.dirpath) / "images" / "pruning.png")

    def state_dict(self) -> dict:
        return self.callbacks.state_dict() | {"validated": self._validated}

    def load_state_dict(self, state: dict) -> None:
        self.callbacks.load_state_dict(state)
        self._validated = state["validated"]

    def on_load_checkpoint(self, trainer, pl_module, checkpoint: dict) -> None:
        """Raise a ConfigError if a checkpoint was written without this callback."""
        if self.state_key not in checkpoint["callbacks"]:
            raise ConfigError(
                f"{WHERE}: the checkpoint was written with other callbacks; resume "
                "with those, or train into another exp_dir"
            )


def _forget_best(best: ModelCheckpoint, strategy) -> None:
    for path in best.best_k_models:
        strategy.remove_checkpoint(path)
    best.best_k_models = {}
    best.best_model_path = best.kth_best_model_path = ""
    best.best_model_score = best.current_score = None
    best.kth_value = torch.tensor(math.inf if best.mode == "min" else -math.inf)


def _reset_stopping(stopping: EarlyStopping) -> None:
    worst = math.inf if stopping.mode == "min" else -math.inf
    stopping.best_score, stopping.wait_count = torch.tensor(worst), 0


def _model_of(pl_module) -> torch.nn.Module:
    model = getattr(pl_module, "model", None)
    return model if isinstance(model, torch.nn.Module) else pl_module


def _conf_of(pl_module) -> Mapping:
    """Return the configuration of ESPnet3's model, or an empty mapping."""
    return (getattr(pl_module, "config", None) or {}).get("model") or {}


def _plain(conf):
    """Convert OmegaConf containers to dictionaries and lists."""
    if isinstance(conf, Mapping):
        return {key: _plain(value) for key, value in conf.items()}
    if isinstance(conf, Sequence) and not isinstance(conf, str):
        return [_plain(value) for value in conf]
    return conf
