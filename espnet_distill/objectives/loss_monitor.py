"""End a training whose loss is NaN or infinite, rather than let it skip every step."""

import math
from collections.abc import Mapping

import torch
from torch import nn

from espnet_distill.errors import ConfigError

# Statistics that end a training at once: there is nothing to learn without them.
ESSENTIAL = ("distill_", "generator_loss", "discriminator_loss")


MOST_INVALID = 20  # steps in a row without a finite loss of the model's own


REMEDY = "lower optim_conf.lr or grad_clip, or see to the data"


class LossMonitor:
    """Watches the statistics that a step reports.

    All processes of a training report their mean, so that all of them end at the same
    step, if one has marked what it found by `mark_invalid`. Gradients that are not
    finite, as mixed precision has them, pass.
    """

    def __init__(self, model: nn.Module):
        """Take the model that trains.

        Args:
            model: Its `fault`, if it has one, says what of the last batch was not
                finite and for which utterances.
        """
        self._model = model
        self._invalid = 0

    def check(self, reported: Mapping[str, float]) -> None:
        """Look at the statistics of one step.

        Raises:
            ConfigError: A term of the distillation loss is not finite, or no loss has
                been for many steps.
        """
        invalid = [name for name, value in reported.items() if not math.isfinite(value)]
        essential = [name for name in invalid if name.startswith(ESSENTIAL)]
        if essential:
            unknown = f"{', '.join(essential)}: NaN or infinite in another process"
            raise ConfigError(getattr(self._model, "fault", None) or unknown)
        if "loss" in reported:
            self._invalid = self._invalid + 1 if "loss" in invalid else 0
        if self._invalid >= MOST_INVALID:
            raise ConfigError(
                f"loss: NaN or infinite in {self._invalid} steps in a row; {REMEDY}"
            )


def mark_invalid(stats: dict) -> dict:
    """Return statistics with infinity for all that is not finite.

    The mean over processes that ESPnet reports leaves NaN out.
    """
    return {
        name: torch.full_like(value, math.inf)
        if torch.is_tensor(value) and not torch.isfinite(value).all()
        else value
        for name, value in stats.items()
    }


def require_valid_step(all_steps_are_invalid: bool, epoch: int) -> None:
    """Raise a ConfigError if no step of an epoch had gradients to go by."""
    if all_steps_are_invalid:
        raise ConfigError(
            f"epoch {epoch}: the gradients of all its steps are NaN or infinite; "
            f"{REMEDY}"
        )
