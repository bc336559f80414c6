"""Gates: learned importance, expected sparsity, equivalence to masks."""

import pytest
import torch
from torch import nn

from espnet_distill.pruning.criteria.gates import gated_layers
from espnet_distill.structure.groups import find_groups
from espnet_distill.structure.heads import find_head_groups
from espnet_distill.structure.residual import is_attention, is_stream
from espnet_distill.structure.slicing import mask_groups
from espnet_distill.training.callback import TrainingContext
from espnet_distill.training.registry import build_callback

from .models import TTS, Plain, groups_of

EPOCH = 10
STEPS = {"unit": "step", "schedule": "linear", "end": 400, "interval": 1}


class HalfUseless(nn.Module):
    """A model of which every other hidden unit gets no input."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.inner = nn.Linear(12, 32)
        self.outer = nn.Linear(32, 8)
        self.secret = torch.randn(12, 16), torch.randn(16, 8)
        with torch.no_grad():
            for parameter in self.inner.parameters():
                parameter[::2] = 0

    def forward(self, seed):
        x = torch.randn(64, 12, generator=torch.Generator().manual_seed(seed))
        first, second = self.secret
        target = torch.relu(x @ first) @ second / 10
        return (self.outer(torch.relu(self.inner(x))) - target).square().mean()


def hidden_group(model):
    return [find_groups(model, lambda model, _: [model(0)])[0]]


def build(model, epochs=40, **conf):
    callback = build_callback(
        {"type": "prune", "criterion": "gates", "pressure": 0.49, "unit": "epoch"}
        | {"end": epochs}
        | conf
    )
    callback.find_groups = hidden_group
    callback.attach(model)
    return callback


def steps_of(model, callback, steps):
    """Train; yield after each step, before its epoch ends."""
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    callback.on_train_start(TrainingContext(model, [optimizer]))
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        model.train()(step).backward()
        optimizer.step()
        callback.on_step_end(step)
        yield step
        if step % EPOCH == 0:
            callback.on_epoch_end(step // EPOCH)


def gated_groups(model):
    """Return the prunable groups without residual streams, and their gated layers."""
    groups = [g for g in groups_of(model) if not (is_stream(g) or is_attention(g))]
    groups = [g for g in groups if g.size > 1] + find_head_groups(model)
    gated = [(group, gated_layers(model, group, 0)) for group in groups]
    assert all(layers for _, layers in gated)
    return gated


def with_ones(gates):
    return torch.cat([gates, torch.ones(1)])


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_useless_units_are_pruned_and_folding_keeps_outputs(scope):
    model = HalfUseless()
    callback = build(model, scope=scope)
    names, losses = list(model.state_dict()), []
    for _ in steps_of(model, callback, 40 * EPOCH):
        assert list(model.state_dict()) == names
        before = model.eval()(1000)
        losses.append(before.item())
    torch.testing.assert_close(model.eval()(1000), before, rtol=1e-6, atol=1e-6)
    assert losses[-1] < losses[0] / 2
    pruned = (model.outer.weight == 0).all(0)
    assert pruned[::2].all() and not pruned[1::2].any()
    assert callback.statistics()["sparsity"] == pytest.approx(0.49, abs=0.01)
    assert not model.outer._forward_pre_hooks
    assert [epoch for epoch, _ in callback.levels] == [40]


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_expected_sparsity_follows_the_schedule(scope):
    model = HalfUseless()
    callback = build(model, scope=scope, **STEPS)
    for step in steps_of(model, callback, 400):
        statistics = callback.statistics()
        if step >= 200 and step % 50 == 0:
            expected = 0.49 * step / 400
            assert statistics["sparsity_expected"] == pytest.approx(expected, abs=0.02)
        assert (statistics["sparsity"] > 0) == (step == 400)


def test_noise_is_constant_within_a_step_and_off_in_evaluation():
    model, free = HalfUseless(), HalfUseless().eval()
    training, evaluation = set(), set()
    for step in steps_of(model, build(model, pressure=0.9, **STEPS), 300):
        if step > 290:
            free.load_state_dict(model.state_dict())
            assert model.train()(1) == model(1)
            training.add((model(1) - free(1)).item())
            assert model.eval()(1) == model(1)
            evaluation.add((model(1) - free(1)).item())
    assert 0 not in training | evaluation and not training & evaluation
    assert len(training) == 10


@pytest.mark.parametrize("kind", ["transformer", "conformer"])
def test_binary_gates_equal_masks(kind):
    model = TTS(kind).eval()
    for number, (group, layers) in enumerate(gated_groups(model)):
        generator = torch.Generator().manual_seed(number)
        gates = torch.randint(0, 2, (group.size,), generator=generator).float()
        hooks = [layer.by_gates(lambda training: with_ones(gates)) for layer in layers]
        gated = model(1)
        for hook in hooks:
            hook.remove()
        before = {name: t.clone() for name, t in model.state_dict().items()}
        kept = [(group, gates.nonzero().flatten())]
        model.load_state_dict(mask_groups(before, kept))
        torch.testing.assert_close(model(1), gated)
        model.load_state_dict(before)


@pytest.mark.parametrize("kind", ["transformer", "conformer"])
def test_gate_gradients_equal_sums_over_their_weights(kind):
    model = TTS(kind)
    for number, (group, layers) in enumerate(gated_groups(model)):
        generator = torch.Generator().manual_seed(number)
        gates = torch.rand(group.size, generator=generator).requires_grad_()
        hooks = [layer.by_gates(lambda training: with_ones(gates)) for layer in layers]
        model.zero_grad()
        model.train()(1).backward()
        sums = torch.zeros(group.size + 1)
        for layer in layers:
            layer.add_sums([p.detach() * p.grad for p in layer.parameters], sums)
        torch.testing.assert_close(
            sums[:-1] / gates.detach(), gates.grad, rtol=1e-3, atol=1e-6
        )
        gated = model.eval()(1)
        for hook in hooks:
            hook.remove()
        before = {name: t.clone() for name, t in model.state_dict().items()}
        with torch.no_grad():
            for layer in layers:
                layer.fold(with_ones(gates.detach()))
        torch.testing.assert_close(model(1), gated)
        model.load_state_dict(before)


def test_gates_are_before_layer_norm():
    model = Plain()
    (group,) = hidden_group(model)
    assert {layer.layer for layer in gated_layers(model, group, 0)} == {
        model.inner,
        model.outer,
    }
