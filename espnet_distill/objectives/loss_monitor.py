"""Stop a training whose loss stays NaN or infinite."""

import math
from collections.abc import Mapping

import torch
from torch import nn

from espnet_distill.errors import ConfigError

# A training stops at the first invalid value of these statistics.
ESSENTIAL = ("distill_", "generator_loss", "discriminator_loss")


MOST_INVALID = 20  # consecutive steps whose `loss` is not finite


REMEDY = "lower optim_conf.lr or grad_clip, or check the data"


class LossMonitor:
    """Checks the statistics of each step for NaN and infinity.

    Statistics are means over all processes of a training. A process marks invalid
    values by `mark_invalid`, so that all processes stop at the same step. Infinite
    gradients, which mixed precision produces, are allowed.
    """

    def __init__(self, model: nn.Module):
        """Monitor the training of a model.

        Args:
            model: Its optional `fault` describes which tensors of the last batch were
                not finite, and for which utterances.
        """
        self._model = model
        self._invalid = 0

    def check(self, reported: Mapping[str, float]) -> None:
        """Check the statistics of one step.

        Raises:
            ConfigError: A term of the distillation loss is not finite, or `loss` has
                not been finite for MOST_INVALID steps.
        """
        invalid = [name for name, value in reported.items() if not math.isfinite(value)]
        essential = [name for name in invalid if name.startswith(ESSENTIAL)]
        if essential:
            elsewhere = f"{', '.join(essential)}: NaN or infinite in another process"
            raise ConfigError(getattr(self._model, "fault", None) or elsewhere)
        if "loss" in reported:
            self._invalid = self._invalid + 1 if "loss" in invalid else 0
        if self._invalid >= MOST_INVALID:
            raise ConfigError(
                f"loss: NaN or infinite in {self._invalid} steps in a row; {REMEDY}"
            )


def mark_invalid(stats: dict) -> dict:
    """Replace the values that are not finite by infinity.

    ESPnet's mean over processes ignores NaN.
    """
    return {
        name: torch.full_like(value, math.inf)
        if torch.is_tensor(value) and not torch.isfinite(value).all()
        else value
        for name, value in stats.items()
    }


def require_valid_step(all_steps_are_invalid: bool, epoch: int) -> None:
    """Raise a ConfigError if no step of an epoch had finite gradients."""
    if all_steps_are_invalid:
        raise ConfigError(
            f"epoch {epoch}: the gradients of all its steps are NaN or infinite; "
            f"{REMEDY}"
        )
