"""What several callbacks share: steps, names of statistics, the history."""

import pytest
import torch

from espnet_distill.training.callback import Callback
from espnet_distill.training.callback_list import Callbacks
from espnet_distill.training.history import History, describe, plot


class Counting(Callback):
    """Notes each step with the gradient that it finds."""

    def __init__(self, parameter=None):
        self.parameter, self.seen = parameter, []

    def on_step_end(self, step):
        self.seen.append((step, self.parameter.grad.item()))

    def statistics(self):
        return {"sparsity": len(self.seen) / 10}


@pytest.mark.parametrize("fused", [False, True])
def test_steps_that_overflow_under_amp_do_not_count(fused):
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.Adam([parameter], lr=0.1, fused=fused)
    counting = Counting(parameter)
    Callbacks([counting]).hook_steps(optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    values = []
    for slope in (1.0, float("inf"), 3.0):
        optimizer.zero_grad()
        scaler.scale((slope * parameter).sum()).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        values.append(parameter.item())
    assert values[0] == values[1] != values[2]
    assert counting.seen == [(1, 1.0), (2, 3.0)]


def test_duplicate_statistics_are_numbered():
    parameter = torch.nn.Parameter(torch.ones(1))
    parameter.grad = torch.ones(1)
    one, two = Counting(parameter), Counting(parameter)
    one.on_step_end(1)
    assert Callbacks([one, two]).statistics() == {"sparsity": 0.1, "sparsity_2": 0.0}


# The history


def test_describe_lists_levels_and_steps():
    history = History()
    for step in range(2000):
        history.record(step, {"sparsity": min(step / 1000, 0.505), "loss": step})
    assert len(history.sparsities["sparsity"]) < 60
    assert history.sparsities["sparsity"][-1] == (505, 0.505)
    levels = dict(history.levels())
    assert list(levels) == pytest.approx([n / 20 for n in range(1, 11)] + [0.505])
    for level, step in levels.items():
        assert 0 <= step - 1000 * level <= 10  # a hundredth may be reached late
    (line,) = describe(history)
    assert line.startswith("sparsity: 0.05 at step 5") and "0.505 at step 505" in line


def test_describe_omits_constant_statistics(tmp_path):
    history = History()
    history.record(1, {"sparsity": 0.0})
    history.record_loss(1, 2.0)
    history.record_loss(9, 1.0)
    assert describe(history) == []
    plot(history, tmp_path / "images" / "p.png")
    assert (tmp_path / "images" / "p.png").read_bytes().startswith(b"\x89PNG")


def test_history_resumes():
    whole, half = History(), History()
    for step in range(100):
        whole.record(step, {"sparsity": step / 300})
    for step in range(50):
        half.record(step, {"sparsity": step / 300})
    resumed = History()
    resumed.load_state_dict(half.state_dict())
    for step in range(50, 100):
        resumed.record(step, {"sparsity": step / 300})
    assert resumed.state_dict() == whole.state_dict()
