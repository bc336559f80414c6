"""Pruning callback: masks that follow a schedule during training."""

import logging
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import nn

from espnet_distill.errors import ConfigError
from espnet_distill.pruning.config import GATES, PruneOptions
from espnet_distill.pruning.criteria.base import Criterion
from espnet_distill.pruning.criteria.gates import Gates
from espnet_distill.pruning.criteria.registry import CRITERIA
from espnet_distill.pruning.espnet_groups import groups_of
from espnet_distill.pruning.masks.base import Handle, PruningMask, saved_parameters
from espnet_distill.pruning.masks.layers import LayerMask
from espnet_distill.pruning.masks.units import UnitMask
from espnet_distill.pruning.masks.weights import WeightMask
from espnet_distill.pruning.online_merging import Merger
from espnet_distill.structure.groups import Group
from espnet_distill.training.callback import Callback, TrainingContext

FindGroups = Callable[[nn.Module], list[Group]]


class PruningCallback(Callback):
    """Prunes a model to a pressure during training.

    Each update of the schedule sets the units of least importance to zero. Masks keep
    them at zero after every step of the optimizer. The model keeps its shapes and the
    names of its parameters.

    Attributes:
        find_groups: Returns the pruning groups of a model; required by
            `granularity: structured`.
        levels: Step or epoch, and sparsity, after each update.
    """

    def __init__(
        self,
        options: PruneOptions,
        find_groups: FindGroups | None = None,
        where: str = "prune",
    ):
        """Store the options; :meth:`attach` takes the model.

        Args:
            options: The keys of the callback.
            find_groups: See above.
            where: Prefix of error messages.
        """
        self.options = options
        self.find_groups = find_groups
        self.levels: list[tuple[int, float]] = []
        self._where = where
        self._schedule = options.timetable
        self._model: nn.Module | None = None
        self._now = {"step": 0, "epoch": 0}
        self._steps_in_epoch = 0
        self._active: list[Criterion | Merger] = []
        self._masked: tuple[list, list] = ([], [])
        self._span_handles: list[Handle] = []

    @classmethod
    def from_conf(cls, conf: Mapping, name: str, where: str) -> "PruningCallback":
        return cls(PruneOptions.of(conf), where=where)

    def use_model_conf(self, tts_conf: Mapping) -> None:
        self.find_groups = partial(groups_of, tts_conf=tts_conf)

    def attach(self, model: nn.Module) -> None:
        self._stop_observers()
        self._model = model
        self._parameters = saved_parameters(model)
        self._total = sum(parameter.numel() for parameter in self._parameters.values())
        try:
            self._mask = self._build_mask()
            self._criterion = self._build_criterion()
        except ConfigError as error:
            raise ConfigError(f"{self._where}: {error}") from None
        self._merger = None
        if self.options.merge:
            self._merger = Merger(model, self._parameters, self._mask.groups)
        self._observers = [self._criterion, *filter(None, [self._merger])]
        self._measure()

    def _build_mask(self) -> PruningMask:
        if self.options.granularity == "unstructured":
            return WeightMask(self._parameters, self.options)
        if self.options.granularity == "layers":
            return LayerMask(self._model, self._parameters, self.options)
        if self.find_groups is None:
            raise ConfigError(
                "granularity: structured requires find_groups, the pruning groups of "
                "the model; or use unstructured or layers"
            )
        return UnitMask(self._model, self._parameters, self.options, self.find_groups)

    def _build_criterion(self) -> Criterion:
        scored = {name: self._parameters[name] for name in self._mask.names}
        if self.options.criterion == GATES:
            return Gates(self._model, scored, self._mask, self._progress)
        return CRITERIA[self.options.criterion](self._model, scored)

    def _progress(self) -> float:
        return self._schedule.progress(self._now[self._schedule.unit])

    def on_train_start(self, training: TrainingContext) -> None:
        if self._model is not training.model:
            self.attach(training.model)
        self.require_end_within(training)
        self._apply_masks()
        self._toggle_observers()

    def require_end_within(self, training: TrainingContext) -> None:
        """Raise a ConfigError if the training ends before the schedule."""
        unit = self._schedule.unit
        length = training.steps if unit == "step" else training.epochs
        if length is not None and self._schedule.last > length:
            key = "start" if self._schedule.kind == "one_shot" else "end"
            raise ConfigError(
                f"{self._where}: {key}: {unit} {self._schedule.last} is after the "
                f"training's last, {length}; give an earlier one, or train longer"
            )

    def on_step_end(self, step: int) -> None:
        self._now["step"] = step
        self._steps_in_epoch += 1
        for observer in self._active:
            observer.step()
        if self._schedule.unit == "step" and self._schedule.is_update(step):
            self._update(step)
        self._apply()
        self._toggle_observers()

    def on_epoch_end(self, epoch: int) -> None:
        self._now["epoch"] = epoch
        self._steps_in_epoch = 0
        if self._schedule.unit == "epoch" and self._schedule.is_update(epoch):
            self._update(epoch)
            self._apply()
        if self._merger:
            self._merger.reset()
        self._toggle_observers()

    def on_train_end(self) -> None:
        self._stop_observers()

    @property
    def is_final(self) -> bool:
        return self._schedule.is_final(self._now[self._schedule.unit])

    def statistics(self) -> dict[str, float]:
        """Return the sparsity of the model and of each part, over its units."""
        parts = {f"sparsity_{part}": x for part, x in self._part_sparsities.items()}
        return {"sparsity": self._sparsity} | parts | self._criterion_statistics

    def state_dict(self) -> dict:
        return {
            "masks": {name: mask.clone() for name, mask in self._mask.kept.items()},
            "criterion": self._criterion.state_dict(),
            "merger": self._merger.state_dict() if self._merger else {},
            "criterion_statistics": dict(self._criterion_statistics),
            "levels": [list(level) for level in self.levels],
            "now": dict(self._now),
            "steps_in_epoch": self._steps_in_epoch,
        }

    def load_state_dict(self, state: dict) -> None:
        try:
            self._mask.load_kept(state["masks"])
        except ConfigError as error:
            raise ConfigError(f"{self._where}: {error}") from None
        self._criterion.load_state_dict(state["criterion"])
        if self._merger:
            self._merger.load_state_dict(state.get("merger", {}))
        self.levels = [(now, sparsity) for now, sparsity in state["levels"]]
        self._now = dict(state["now"])
        self._steps_in_epoch = state["steps_in_epoch"]
        self._measure()
        self._criterion_statistics = dict(state["criterion_statistics"])
        self._apply_masks()

    @torch.no_grad()
    def _update(self, now: int) -> None:
        """Choose and apply masks by the schedule."""
        if self._criterion.waits and now < self._schedule.last:
            self._measure()
            statistics = self._criterion_statistics.items()
            summary = ", ".join(f"{key} {x:.4f}" for key, x in statistics)
            logging.info(f"{self._schedule.unit} {now}: {summary}")
            return
        before = {name: mask.clone() for name, mask in self._mask.kept.items()}
        self._mask.choose(self._schedule.progress(now), self._criterion)
        if self._merger:
            kept = self._mask.kept
            self._merger.merge(kept, [n for n in kept if not kept[n].equal(before[n])])
        self._criterion.fold()
        self._measure()
        for observer in self._observers:
            observer.reset()
        self._apply_masks()
        self.levels.append((now, self._sparsity))
        logging.info(
            f"{self._schedule.unit} {now}: {self._sparsity:.4f} of the parameters are "
            "pruned"
        )

    def _measure(self) -> None:
        self._sparsity = self._mask.num_pruned() / self._total
        self._part_sparsities = self._mask.part_sparsities()
        self._criterion_statistics = self._criterion.statistics()

    def _apply_masks(self) -> None:
        """Prepare masks on the devices of their parameters, and apply them."""
        for handle in self._span_handles:
            handle.remove()
        self._span_handles = self._mask.count_kept(self._model)
        masks = self._mask.multipliers()
        masked = [(self._parameters[name], mask) for name, mask in masks.items()]
        self._masked = (
            [parameter for parameter, _ in masked],
            [_expand_for_product(mask.to(p), p) for p, mask in masked],
        )
        self._apply()

    @torch.no_grad()
    def _apply(self) -> None:
        if self._masked[0]:
            torch._foreach_mul_(*self._masked)

    def _toggle_observers(self) -> None:
        """Start the observers whose window before an update has begun, stop others."""
        due = [
            observer for observer in self._observers if self._is_due(observer.window)
        ]
        for observer in self._observers:
            if observer in due and observer not in self._active:
                observer.start()
            elif observer in self._active and observer not in due:
                observer.stop()
        self._active = due

    def _stop_observers(self) -> None:
        for observer in self._active:
            observer.stop()
        self._active = []

    def _is_due(self, window: int | None) -> bool:
        """Return True if the next step is within a window before an update."""
        now = self._now[self._schedule.unit]
        until = self._schedule.until_update(now)
        if until is None:
            return False
        if window is None:
            return now >= self._schedule.start
        if self._schedule.unit == "step":
            return until <= window
        # the first steps of an epoch: its length is unknown
        return until == 1 and self._steps_in_epoch < window


def _expand_for_product(mask: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """Expand a mask, unless it has one value a row: broadcasting is slow elsewhere."""
    if mask.dim() < 2 or mask.numel() == mask.size(0):
        return mask
    return mask.expand_as(parameter).contiguous()
