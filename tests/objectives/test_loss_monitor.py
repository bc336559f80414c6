"""When a training ends because of its loss, and when it goes on."""

import math
from types import SimpleNamespace

import pytest
from torch.multiprocessing.spawn import ProcessExitedException

from espnet_distill.errors import ConfigError
from espnet_distill.objectives.loss_monitor import (
    MOST_INVALID,
    LossMonitor,
    require_valid_step,
)
from espnet_distill.training.child_processes import exit_with_children

NAN = math.nan
FAULT = "the teacher computes NaN"


@pytest.mark.parametrize(
    "name", ["distill_mel", "generator_loss", "discriminator_loss"]
)
@pytest.mark.parametrize("value", [NAN, math.inf])
def test_a_term_of_the_distillation_ends_it_at_once(name, value):
    monitor = LossMonitor(SimpleNamespace(fault=FAULT))
    monitor.check({"loss": 1.0, name: 2.0})
    with pytest.raises(ConfigError, match=FAULT):
        monitor.check({"loss": 1.0, name: value})


def test_another_process_ends_it_too():
    """Its own part of the batch is whole, but the reported mean is not."""
    monitor = LossMonitor(SimpleNamespace(fault=None))
    with pytest.raises(ConfigError, match="distill_mel: NaN or infinite in another"):
        monitor.check({"distill_mel": NAN})


def test_gradients_that_mixed_precision_makes_infinite_do_not():
    monitor = LossMonitor(SimpleNamespace())
    for _ in range(2 * MOST_INVALID):
        monitor.check({"grad_norm": math.inf, "optim0_lr0": 1.0})
    require_valid_step(False, 1)


def test_a_loss_of_its_own_may_fail_for_some_steps_but_not_for_many():
    monitor = LossMonitor(SimpleNamespace())
    for _ in range(2):
        for _ in range(MOST_INVALID - 1):
            monitor.check({"loss": NAN})
        monitor.check({"loss": 1.0})
    with pytest.raises(ConfigError, match=f"in {MOST_INVALID} steps in a row"):
        for _ in range(MOST_INVALID):
            monitor.check({"loss": NAN})


def test_an_epoch_without_a_valid_step():
    with pytest.raises(ConfigError, match="epoch 3: the gradients of all its steps"):
        require_valid_step(True, 3)


@pytest.mark.parametrize(
    "status, raised", [(2, SystemExit), (1, ProcessExitedException)]
)
def test_the_waiting_process_passes_on_a_refusal(status, raised):
    with pytest.raises(raised) as caught, exit_with_children():
        raise ProcessExitedException("", 0, 1, exit_code=status)
    if raised is SystemExit:
        assert caught.value.code == 2
