"""ESPnet's Trainer with callbacks and atomic checkpoints."""

import contextlib
import functools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import espnet2.train.trainer as stock
import torch
from espnet2.iterators.abs_iter_factory import AbsIterFactory
from espnet2.iterators.sequence_iter_factory import SequenceIterFactory
from espnet2.main_funcs.average_nbest_models import average_nbest_models
from espnet2.train.reporter import Reporter, SubReporter
from espnet2.train.trainer import Trainer, TrainerOptions

from espnet_distill.objectives.loss_monitor import LossMonitor, require_valid_step
from espnet_distill.training.callback import TrainingContext
from espnet_distill.training.callback_list import Callbacks
from espnet_distill.training.history import describe, plot
from espnet_distill.training.recovery import recover_files
from espnet_distill.utils.files import remove_parts, written_whole
from espnet_distill.utils.patching import patched


class CallbackTrainer(Trainer):
    """A Trainer that calls callbacks.

    Like ESPnet's Trainer it is never instantiated. `of` returns a subclass for one run.
    """

    callbacks = Callbacks()

    @staticmethod
    def on_accept() -> None:
        """Called after a run has begun or its checkpoint has been loaded."""

    @classmethod
    def of(
        cls, callbacks: Callbacks, on_accept: Callable[[], None]
    ) -> type["CallbackTrainer"]:
        """Return a subclass with callbacks and a function to call at the start."""
        members = {"callbacks": callbacks, "on_accept": staticmethod(on_accept)}
        return type(cls.__name__, (cls,), members)

    @classmethod
    def run(
        cls,
        model,
        optimizers,
        train_iter_factory,
        trainer_options,
        distributed_option,
        **others,
    ) -> None:
        """Train as ESPnet does; callbacks start after a checkpoint has been loaded.

        Raises:
            ConfigError: A callback does not fit the training or the checkpoint.
        """
        output_dir = Path(trainer_options.output_dir)
        cls.writes = (
            not distributed_option.distributed or distributed_option.dist_rank == 0
        )
        cls.options = trainer_options
        cls.training = TrainingContext(
            model,
            optimizers,
            count_steps(train_iter_factory, trainer_options),
            trainer_options.max_epoch,
            output_dir,
        )
        if cls.writes and output_dir.is_dir():
            remove_parts(output_dir)
        if not (trainer_options.resume and (output_dir / "checkpoint.pth").exists()):
            cls.callbacks.on_train_start(cls.training)
            cls.on_accept()
        with (
            atomic_torch_save(),
            patched(
                stock,
                Reporter=functools.partial(
                    EligibleEpochsReporter, cls.callbacks, LossMonitor(model)
                ),
                average_nbest_models=average_eligible,
            ),
        ):
            super().run(
                model=model,
                optimizers=optimizers,
                train_iter_factory=train_iter_factory,
                trainer_options=trainer_options,
                distributed_option=distributed_option,
                **others,
            )
        cls.callbacks.on_train_end()
        if cls.writes:
            cls.report_history(output_dir / "images" / "pruning.png")

    @classmethod
    def report_history(cls, image: Path) -> None:
        """Log the step of each sparsity level, and plot the history."""
        history = cls.callbacks.history
        for line in describe(history):
            logging.info(line)
        if cls.options.use_matplotlib and history.sparsities:
            plot(history, image)

    @classmethod
    def resume(cls, checkpoint, model, reporter, **others) -> None:
        """Load a checkpoint, and recover files that are missing beside it."""
        super().resume(checkpoint=checkpoint, model=model, reporter=reporter, **others)
        if cls.writes:
            recover_files(Path(checkpoint), reporter, cls.options, average_eligible)
        cls.callbacks.on_train_start(cls.training)
        cls.on_accept()

    @classmethod
    def train_one_epoch(cls, reporter: SubReporter, **others) -> bool:
        all_steps_are_invalid = super().train_one_epoch(reporter=reporter, **others)
        require_valid_step(all_steps_are_invalid, reporter.get_epoch())
        cls.callbacks.on_epoch_end(reporter.get_epoch())
        return all_steps_are_invalid


class EligibleEpochsReporter(Reporter):
    """Reports the callbacks' statistics, and ranks only eligible epochs.

    A monitor checks the values that each step reports.
    """

    def __init__(self, callbacks: Callbacks, monitor: LossMonitor):
        super().__init__()
        self.callbacks = callbacks
        self.monitor = monitor

    def start_epoch(self, key: str, epoch: int | None = None) -> SubReporter:
        """Add the statistics to every training step, and check all reported values."""
        started = super().start_epoch(key, epoch)
        register = started.register

        def monitored(stats, weight=None):
            register(stats, weight)
            self.monitor.check({name: started.stats[name][-1].value for name in stats})

        started.register = monitored
        if key == "train" and self.callbacks:
            close_step = started.next

            def next_step():
                started.register(self.callbacks.statistics())
                close_step()

            started.next = next_step
        return started

    def finish_epoch(self, sub_reporter: SubReporter) -> None:
        """Store an epoch's statistics as of its end, instead of their mean."""
        super().finish_epoch(sub_reporter)
        values = self.stats[self.epoch][sub_reporter.key]
        if sub_reporter.key == "train":
            values |= self.callbacks.statistics()
        elif sub_reporter.key == "valid" and "loss" in values:
            self.callbacks.history.record_loss(self.callbacks.step, values["loss"])

    def sort_epochs_and_values(self, key: str, key2: str, mode: str):
        ranked = super().sort_epochs_and_values(key, key2, mode)
        return [item for item in ranked if self.callbacks.is_eligible(item[0])]

    def get_best_epoch(self, key: str, key2: str, mode: str, nbest: int = 0) -> int:
        """Return the best epoch, or 0 while none is eligible."""
        ranked = self.sort_epochs(key, key2, mode)
        return ranked[nbest] if ranked else 0

    def check_early_stopping(self, patience: int, *criterion, **others) -> bool:
        """Count patience from the first eligible epoch."""
        if not self.get_best_epoch(*criterion):
            return False
        return super().check_early_stopping(patience, *criterion, **others)


def average_eligible(reporter: Reporter, **others) -> None:
    """Average the best models, if any epoch is eligible."""
    if any(map(reporter.callbacks.is_eligible, reporter.stats)):
        average_nbest_models(reporter=reporter, **others)
    else:
        logging.warning(
            "No epoch has the model's final structure: none is the best, none averaged"
        )


def count_steps(factory: AbsIterFactory, options: TrainerOptions) -> int | None:
    """Return the optimizer steps of a whole training, or None if unknown."""
    if not isinstance(factory, SequenceIterFactory):
        return None
    batches = factory.num_iters_per_epoch or len(factory.sampler)
    return steps_of(batches, options)


def steps_of(batches: int, options) -> int:
    """Return the optimizer steps of a training, given the batches per epoch."""
    return batches // options.accum_grad * options.max_epoch


@contextlib.contextmanager
def atomic_torch_save() -> Iterator[None]:
    """Make torch.save atomic: write a temporary file, then rename it."""
    save = torch.save

    def save_whole(obj, f, *args, **kwargs):
        if hasattr(f, "write"):
            return save(obj, f, *args, **kwargs)
        with written_whole(f) as temporary, temporary.open("wb") as file:
            save(obj, file, *args, **kwargs)

    with patched(torch, save=save_whole):
        yield
