"""PruningCallback: pressure, masks, schedule, resume."""

import itertools

import pytest
import torch

from espnet_distill.errors import ConfigError
from espnet_distill.structure.slicing import slice_groups
from espnet_distill.training.callback import TrainingContext
from espnet_distill.training.registry import build_callback

from .models import TTS, Plain, adamw, groups_of, train

CRITERIA = ("magnitude", "wanda", "movement", "taylor")
SOON = {"type": "prune", "start": 2, "end": 12, "interval": 3}


def build(model, find_groups=groups_of, **conf):
    callback = build_callback(SOON | conf)
    callback.find_groups = find_groups
    callback.attach(model)
    return callback


def zeros(model):
    weights = list(model.parameters())
    return sum(int((p == 0).sum()) for p in weights) / sum(p.numel() for p in weights)


def find_zero_units(model):
    """Yield the prunable groups of a model, and which units of each are zero."""
    state = model.state_dict()
    for group in groups_of(model):
        is_zero = torch.ones(group.size, dtype=torch.bool)
        for axis in group.axes:
            if "running" not in axis.parameter:
                tensor = state[axis.parameter]
                tensor = tensor.flatten() if axis.dim is None else tensor
                rows = tensor.movedim(axis.dim or 0, 0)
                zero = (rows.reshape(len(rows), -1) == 0).all(1)
                is_zero &= zero[axis.places].all(0)
        yield group, is_zero


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("pressure", [0.2, 0.6])
def test_weights(criterion, scope, pressure):
    model = Plain()
    conf = {"criterion": criterion, "scope": scope, "pressure": pressure}
    callback = build(model, granularity="unstructured", **conf)
    train(model, callback, 20)
    assert zeros(model) == pytest.approx(pressure, abs=0.01)
    assert callback.statistics()["sparsity"] == pytest.approx(zeros(model), abs=1e-9)
    if scope == "layer":
        inner, outer = (
            float((layer.weight == 0).float().mean())
            for layer in (model.inner, model.outer)
        )
        assert inner == pytest.approx(outer, abs=0.01)


@pytest.mark.parametrize("kind", ["transformer", "conformer"])
@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("criterion", [*CRITERIA, "gates"])
def test_structured(kind, scope, criterion):
    model = TTS(kind)
    callback = build(model, pressure=0.3, scope=scope, criterion=criterion)
    train(model, callback, 13)
    zero_units = list(find_zero_units(model))
    kept = [(group, (~is_zero).nonzero().flatten()) for group, is_zero in zero_units]
    sliced = slice_groups(model.state_dict(), kept)
    total = sum(parameter.numel() for parameter in model.parameters())
    left = sum(sliced[name].numel() for name, _ in model.named_parameters())
    assert 1 - left / total == pytest.approx(0.3, abs=0.01)
    assert callback.statistics()["sparsity"] == pytest.approx(1 - left / total)
    if scope == "layer":
        for part in ("encoder.encoders", "decoder.encoders"):
            counts = {
                int(is_zero.sum())
                for group, is_zero in zero_units
                if part in group.axes[0].parameter and "w_1" in group.axes[0].parameter
            }
            assert len(counts) == 1 and counts != {0}
    for group, is_zero in zero_units:
        if any("linear_q" in axis.parameter for axis in group.axes):
            assert not is_zero.any()


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("scope", ["layer", "global"])
def test_pruned_layers_are_the_identity(criterion, scope):
    model = TTS()
    layer = sum(p.numel() for p in model.tts.decoder.encoders[0].parameters())
    total = sum(parameter.numel() for parameter in model.parameters())
    conf = {"pressure": round(layer / total, 3), "exclude": ["tts.encoder.*"]}
    callback = build(
        model, granularity="layers", scope=scope, criterion=criterion, **conf
    )
    train(model, callback, 14)
    assert callback.statistics()["sparsity"] == pytest.approx(layer / total, abs=0.01)
    x = torch.randn(1, 5, 16)
    same = [
        torch.equal(one(x, None)[0], x) for one in model.tts.decoder.encoders.eval()
    ]
    assert same.count(True) == 1
    loss = model.eval()(1)
    del model.tts.decoder.encoders[same.index(True)]
    torch.testing.assert_close(model(1), loss)


@pytest.mark.parametrize("pattern, share", [("2:4", 0.5), ("1:4", 0.75)])
def test_patterns(pattern, share):
    model = Plain()
    callback = build(model, granularity="unstructured", pattern=pattern)
    train(model, callback, 14)
    for layer in (model.inner, model.outer):
        fews = (layer.weight == 0).view(-1, 4).sum(1)
        assert (fews == round(4 * share)).all()


def test_n_m_pattern_is_along_the_input_of_a_convolution():
    model = torch.nn.Sequential(torch.nn.Conv1d(8, 3, 5))
    callback = build(
        model, granularity="unstructured", pattern="2:4", schedule="linear", start=0
    )
    callback.on_train_start(TrainingContext(model))
    for step in range(1, 13):
        callback.on_step_end(step)
    kept = (model[0].weight != 0).movedim(1, -1).reshape(-1, 4)
    assert (kept.sum(1) == 2).all()


def test_sparsity_follows_the_schedule():
    model = Plain()
    callback = build(model, granularity="unstructured", pressure=0.5, schedule="linear")
    assert callback.statistics()["sparsity"] == 0 and not callback.is_final
    train(model, callback, 20)
    assert callback.is_final
    steps, shares = zip(*callback.levels)
    assert steps == (5, 8, 11, 12)
    assert shares == pytest.approx([0.15, 0.3, 0.45, 0.5], abs=0.005)


def test_momentum_and_weight_decay_leave_pruned_weights_at_zero():
    model = Plain()
    callback = build(model, granularity="unstructured", pressure=0.5)
    optimizer = train(model, callback, 12)
    is_zero = {name: p == 0 for name, p in model.named_parameters()}
    momenta = [optimizer.state[p]["exp_avg"] for p in model.parameters()]
    assert any((m[p == 0] != 0).any() for m, p in zip(momenta, model.parameters()))
    train(model, callback, 30, optimizer, first=13)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter == 0, is_zero[name])


@pytest.mark.parametrize(
    "granularity, criterion",
    [
        *itertools.product(["unstructured", "structured"], CRITERIA),
        ("structured", "gates"),
    ],
)
@pytest.mark.parametrize("stop", [4, 7, 11, 16])
def test_resume_is_bit_identical(criterion, granularity, stop, tmp_path):
    conf = {
        "granularity": granularity,
        "pressure": 0.3,
        "criterion": criterion,
        "start": 3,
    }
    conf |= {"merge": granularity == "structured" and criterion == "magnitude"}
    if granularity == "structured" and criterion == "taylor":
        conf |= {"prune_also": ["residual"], "stock_compatible": True}
    make = Plain if granularity == "unstructured" else TTS
    whole = make()
    uninterrupted = build(whole, **conf)
    train(whole, uninterrupted, 20)

    first = make()
    callback = build(first, **conf)
    optimizer = adamw(first)
    train_until(first, callback, optimizer, stop)
    parts = [part.state_dict() for part in (first, optimizer, callback)]
    torch.save(parts, tmp_path / "checkpoint.pth")

    second = make()
    callback = build(second, **conf)
    optimizer = adamw(second)
    loaded = torch.load(tmp_path / "checkpoint.pth", weights_only=True)
    for part, state in zip((second, optimizer, callback), loaded):
        part.load_state_dict(state)
    train(second, callback, 20, optimizer, first=stop + 1)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(second.state_dict()[name], tensor), name
    assert callback.levels == uninterrupted.levels
    assert callback.statistics() == uninterrupted.statistics()


def train_until(model, callback, optimizer, stop):
    """Train the first steps of a training of 20."""
    model.train()
    callback.on_train_start(TrainingContext(model, [optimizer], steps=20, epochs=2))
    for step in range(1, stop + 1):
        optimizer.zero_grad()
        model(step).backward()
        optimizer.step()
        callback.on_step_end(step)
        if step % 10 == 0:
            callback.on_epoch_end(step // 10)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_schedule_in_epochs(criterion):
    model = Plain()
    conf = {"unit": "epoch", "start": 0, "end": 3, "interval": 1}
    callback = build(
        model, granularity="unstructured", pressure=0.5, criterion=criterion, **conf
    )
    train(model, callback, 40)
    assert [now for now, _ in callback.levels] == [1, 2, 3]
    assert zeros(model) == pytest.approx(0.5, abs=0.01)


def test_criterion_observes_only_training_batches():
    """A criterion ignores evaluation, and leaves no hook behind."""
    model = Plain()
    callback = build(model, granularity="unstructured", pressure=0.5, criterion="wanda")
    callback.on_train_start(TrainingContext(model))
    assert len(model.inner._forward_pre_hooks) == 1
    model.eval()(0)
    assert not callback.state_dict()["criterion"]["counts"]
    train(model, callback, 20)
    assert not model.inner._forward_pre_hooks


def test_wanda_keeps_weights_of_large_inputs():
    """The weights of an input of large norm stay, whatever their magnitude."""
    model = Plain()
    with torch.no_grad():
        model.norm.weight.fill_(0.01)
        model.norm.weight[:8] = 100
    conf = {"schedule": "one_shot", "start": 9, "end": None, "interval": None}
    callback = build(
        model, granularity="unstructured", pressure=0.5, criterion="wanda", **conf
    )
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    train(model, callback, 9, optimizer)
    assert (model.outer.weight[:, :8] != 0).float().mean() > 0.95


def test_included_heads_are_pruned_whole():
    model = TTS()
    callback = build(model, pressure=0.4, prune_also=["heads"])
    train(model, callback, 13)
    heads = [
        (layer.self_attn.linear_q.weight.view(2, -1) == 0).all(1).sum()
        for stack in (model.tts.encoder.encoders, model.tts.decoder.encoders)
        for layer in stack
    ]
    assert all(sparsity == 1 for sparsity in heads)
    assert callback.statistics()["sparsity"] == pytest.approx(0.4, abs=0.01)


def test_pruned_residual_stream_equals_a_narrower_model():
    from espnet_distill.structure.residual import nearest_frequencies

    model = TTS()
    callback = build(model, pressure=0.55, prune_also=["residual"])
    train(model, callback, 13)
    kept = (model.tts.encoder.after_norm.weight != 0).nonzero().flatten()
    assert 0 < len(kept) < 16
    assert torch.equal(kept, nearest_frequencies(16, len(kept)))
    reader = model.tts.pitch_predictor.conv[0][0].weight
    assert ((reader != 0).any(2).any(0).nonzero().flatten() == kept).all()


@pytest.mark.parametrize("kind", ["transformer", "conformer"])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_stock_prunes_channels_of_every_head_with_the_residual_stream(kind, criterion):
    model = TTS(kind)
    conf = {
        "prune_also": ["residual"],
        "stock_compatible": True,
        "merge": criterion == "magnitude",
    }
    train(model, build(model, pressure=0.5, criterion=criterion, **conf), 13)
    width = int((model.tts.encoder.after_norm.weight != 0).sum())
    assert width < 16
    for name, module in model.named_modules():
        if name.endswith("self_attn"):
            rows = (module.linear_q.weight != 0).any(1).view(module.h, -1)
            assert (rows.sum(1) == width // module.h).all()
            columns = (module.linear_out.weight != 0).any(0).view(module.h, -1)
            assert torch.equal(rows, columns)
        if name.endswith("conv_module"):
            assert (module.depthwise_conv.weight != 0).any(2).sum() == width


def test_stock_keeps_convolutions_as_wide_as_the_residual_stream():
    model = TTS("conformer")
    train(model, build(model, pressure=0.3, stock_compatible=True), 13)
    convolutions = [
        module.depthwise_conv.weight
        for name, module in model.named_modules()
        if name.endswith("conv_module")
    ]
    assert convolutions and all((w != 0).any(2).all() for w in convolutions)
    assert zeros(model) == pytest.approx(0.3, abs=0.03)


def test_floors():
    model = Plain()
    conf = {
        "granularity": "unstructured",
        "scope": "global",
        "floor": 0.4,
        "pressure": 0.5,
    }
    with torch.no_grad():
        model.outer.weight.mul_(1e-3)
    train(model, build(model, **conf), 14)
    assert (model.outer.weight != 0).float().mean() >= 0.4
    assert zeros(model) == pytest.approx(0.5, abs=0.01)


def test_excluded_parameters_are_not_pruned():
    model = Plain()
    callback = build(
        model, granularity="unstructured", pressure=0.2, exclude=["inner.*"]
    )
    train(model, callback, 14)
    assert (model.inner.weight != 0).all()
    assert zeros(model) == pytest.approx(0.2, abs=0.01)


def test_parameters_that_are_not_saved_do_not_count():
    """Such parameters are projections of a distillation, outside the state dict."""
    model = Plain()
    model.projection = torch.nn.Linear(50, 50)
    model.register_state_dict_post_hook(
        lambda module, state, prefix, metadata: (
            [state.pop(key) for key in list(state) if key.startswith("projection")]
            and None
        )
    )
    callback = build(model, granularity="unstructured", pressure=0.4)
    callback.on_train_start(TrainingContext(model))
    for step in range(1, 13):
        callback.on_step_end(step)
    assert (model.projection.weight != 0).all()
    del model.projection
    weights = [model.inner.weight, model.outer.weight]
    total = sum(parameter.numel() for parameter in model.parameters())
    zero = sum(int((weight == 0).sum()) for weight in weights)
    assert zero / total == pytest.approx(0.4, abs=0.01)
    assert "sparsity_lesson" not in callback.statistics()


def test_masks_of_another_model_are_refused():
    state = build(Plain(), granularity="unstructured", pressure=0.4).state_dict()
    other = build(TTS(), granularity="unstructured", pressure=0.4)
    with pytest.raises(ConfigError, match="masks are of other layers"):
        other.load_state_dict(state)


@pytest.mark.parametrize("order", [1, -1])
def test_norms_exclude_the_units_of_all_callbacks(order):
    """In whatever order their hooks are registered, as after a resume."""
    from espnet_distill.structure.layer_norm import masked_layer_norm

    norm, x = torch.nn.LayerNorm(6), torch.randn(3, 6)
    masks = torch.tensor([[1, 1, 1, 0, 1, 1], [0, 1, 1, 1, 1, 0]], dtype=torch.bool)
    for mask in list(masks)[::order]:
        masked_layer_norm(norm, mask)
    expected = torch.zeros(3, 6)
    kept = [1, 2, 4]
    expected[:, kept] = torch.nn.functional.layer_norm(x[:, kept], (3,))
    torch.testing.assert_close(norm(x), expected)
