"""Unit merging on small layers: exactness, errors, and cases without merging."""

import math

import pytest
import torch
from torch import nn

from espnet_distill.structure.groups import Axis, Group, find_groups
from espnet_distill.structure.slicing import mask_groups, slice_groups
from espnet_distill.structure.statistics.calibration import Calibration
from espnet_distill.structure.statistics.second_moments import moments_of
from espnet_distill.structure.unit_merging import merge

UNITS, REMOVED = 12, [1, 4, 5, 9]
KEPT = torch.tensor([unit for unit in range(UNITS) if unit not in REMOVED])


class Layer(nn.Module):
    """One producer, an activation, and readers with kernels of 1 and of 3 or more."""

    def __init__(self, activation=nn.Identity, kernels=(1,), inputs=6):
        super().__init__()
        torch.manual_seed(0)
        self.producer = nn.Conv1d(inputs, UNITS, 3, padding=1)
        self.activation = activation()
        self.readers = nn.ModuleList(
            nn.Conv1d(UNITS, 5, kernel, padding=kernel // 2) for kernel in kernels
        )
        self.linear = nn.Linear(UNITS, 4, bias=False)

    def forward(self, x):
        hs = self.activation(self.producer(x))
        return [reader(hs) for reader in self.readers] + [self.linear(hs.mT)]


def data(seed=1, batches=3):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, 6, 40, generator=generator) for _ in range(batches)]


def run(model, _):
    return model(data()[0])


def parts(model, kept=KEPT):
    """The group of the producer's units, and its moments."""
    group, *_ = [g for g in find_groups(model, run) if g.size == UNITS]
    return group, record_moments(model, group, kept)


def record_moments(model, group, kept=KEPT):
    (moments,) = moments_of(model, Calibration(data(), model), [(group, kept)])
    return moments


def outputs(model, state, seed=1):
    """Outputs of a model on all data with other weights."""
    before = {name: t.clone() for name, t in model.state_dict().items()}
    model.load_state_dict(state)
    with torch.no_grad():
        found = [output.flatten() for x in data(seed) for output in model(x)]
    model.load_state_dict(before)
    return torch.cat(found)


def masked(model, group, changed):
    return mask_groups(model.state_dict() | changed, [(group, KEPT)])


def copy_units(model, factor=2.0):
    """Set each removed unit to a multiple of one that stays."""
    with torch.no_grad():
        for unit, source in zip(REMOVED, (0, 2, 7, 11)):
            for parameter in (model.producer.weight, model.producer.bias):
                parameter[unit] = factor * parameter[source]


@pytest.mark.parametrize("with_data", [True, False])
@pytest.mark.parametrize("activation", [nn.Identity, nn.ReLU, nn.LeakyReLU])
def test_multiples_of_kept_units_merge_exactly(activation, with_data):
    model = Layer(activation, kernels=(1, 3, 5))
    copy_units(model)
    group, moments = parts(model)
    changed, saved = merge(
        model.state_dict(), group, KEPT, moments if with_data else None
    )
    whole = outputs(model, model.state_dict(), seed=2)
    found = outputs(model, masked(model, group, changed), seed=2)
    torch.testing.assert_close(found, whole, atol=1e-4, rtol=1e-4)
    plain = outputs(model, masked(model, group, {}), seed=2)
    assert (plain - whole).abs().max() > 0.1
    assert saved.is_merged and saved.merged < 1e-3 < 0.1 < saved.removed < 1


def test_with_data_sums_of_kept_units_merge_exactly():
    """Of 12 linear units of 6 inputs, 8 suffice."""
    model = Layer()
    with torch.no_grad():
        model.producer.bias.zero_()
        model.producer.weight[..., (0, 2)] = 0
    group, moments = parts(model)
    changed, saved = merge(model.state_dict(), group, KEPT, moments)
    whole = outputs(model, model.state_dict(), seed=2)
    found = outputs(model, masked(model, group, changed), seed=2)
    torch.testing.assert_close(found, whole, atol=1e-4, rtol=1e-4)
    assert saved.merged < 1e-3 < saved.removed


@pytest.mark.parametrize("activation", [nn.ReLU, nn.SiLU, nn.Tanh, nn.Identity])
@pytest.mark.parametrize("count", [0, 1, 6, 11])
def test_with_data_no_error_exceeds_that_of_removal(activation, count):
    model = Layer(activation, kernels=(1, 1))
    kept = torch.randperm(UNITS, generator=torch.Generator().manual_seed(3))[:count]
    group, moments = parts(model, kept)
    state = model.state_dict()
    changed, saved = merge(state, group, kept, moments)
    whole = outputs(model, state)
    powers = [
        (outputs(model, mask_groups(state | new, [(group, kept)])) - whole).square()
        for new in ({}, changed)
    ]
    removed, merged = (power.sum() for power in powers)
    assert merged < removed or count == 0 and merged == removed
    assert saved.merged < saved.removed or count == 0
    ratio = (merged / removed).sqrt().item()
    assert saved.merged / saved.removed == pytest.approx(ratio, rel=1e-3)


def test_few_positions_generalize_with_a_ridge():
    """Eight units are fitted on a dozen positions; without a ridge the error rises."""
    model = Layer(nn.ReLU)
    group, *_ = [g for g in find_groups(model, run) if g.size == UNITS]
    whole = outputs(model, model.state_dict(), seed=2)
    plain = (outputs(model, masked(model, group, {}), seed=2) - whole).norm()
    errors = []
    for seed in range(20):
        few = data(seed + 10, batches=1)[0][:1, :, :12]
        (moments,) = moments_of(model, Calibration([few], model), [(group, KEPT)])
        assert all(reader.positions == 12 for reader in moments.values())
        changed, _ = merge(model.state_dict(), group, KEPT, moments)
        found = outputs(model, masked(model, group, changed), seed=2)
        errors.append(((found - whole).norm() / plain).item())
    assert sum(errors) / len(errors) < 1


def test_errors_are_those_of_the_outputs():
    """Errors exclude the biases."""
    model = Layer(nn.Tanh)
    nn.init.zeros_(model.readers[0].bias)
    group, moments = parts(model)
    changed, saved = merge(model.state_dict(), group, KEPT, moments)
    whole = outputs(model, model.state_dict())
    for error, new in ((saved.removed, {}), (saved.merged, changed)):
        found = outputs(model, masked(model, group, new))
        assert error == pytest.approx(((found - whole).norm() / whole.norm()).item())


class NormalizedLayer(nn.Module):
    """A predictor's layer, with an optional module after the normalization."""

    def __init__(self, behind=nn.Identity):
        super().__init__()
        torch.manual_seed(0)
        self.producer = nn.Linear(6, UNITS)
        self.norm = nn.LayerNorm(UNITS)
        self.behind = behind()
        self.reader = nn.Linear(UNITS, 5)
        nn.init.uniform_(self.norm.weight, 0.5, 2)
        nn.init.normal_(self.norm.bias)

    def forward(self, x):
        hs = self.norm(torch.relu(self.producer(x.mT)))
        hs[..., -3:, :] = 0  # padding
        return [self.reader(self.behind(hs))]


def test_after_a_normalization_the_fit_is_for_the_sliced_model():
    model = NormalizedLayer()
    group, moments = parts(model)
    changed, saved = merge(model.state_dict(), group, KEPT, moments)
    whole = outputs(model, model.state_dict())
    constant = outputs(model, mask_groups(model.state_dict(), [(group, KEPT[:0])]))
    errors = []
    for new in ({}, changed):
        sliced = NormalizedLayer()
        sliced.producer = nn.Linear(6, len(KEPT))
        sliced.norm = nn.LayerNorm(len(KEPT))
        sliced.reader = nn.Linear(len(KEPT), 5)
        state = slice_groups(model.state_dict() | new, [(group, KEPT)])
        found = outputs(sliced, state)
        errors.append(((found - whole).norm() / (whole - constant).norm()).item())
    assert errors == pytest.approx([saved.removed, saved.merged], rel=1e-3)
    assert saved.merged < 0.8 * saved.removed


def test_module_after_a_normalization_prevents_merging():
    model = NormalizedLayer(nn.ReLU)
    group, moments = parts(model)
    changed, saved = merge(model.state_dict(), group, KEPT, moments)
    assert not moments and not changed and not saved.is_merged


@pytest.mark.parametrize("with_data", [True, False])
def test_sliced_and_masked_are_equal(with_data):
    model = Layer(nn.ReLU, kernels=(3,))
    group, moments = parts(model)
    changed, _ = merge(model.state_dict(), group, KEPT, moments if with_data else None)
    state = slice_groups(model.state_dict() | changed, [(group, KEPT)])
    x = data(2)[0]
    hs = torch.relu(
        nn.functional.conv1d(
            x, state["producer.weight"], state["producer.bias"], padding=1
        )
    )
    found = nn.functional.conv1d(
        hs, state["readers.0.weight"], state["readers.0.bias"], padding=1
    )
    model.load_state_dict(masked(model, group, changed))
    torch.testing.assert_close(found, model(x)[0], atol=1e-5, rtol=1e-5)


def test_only_the_kept_columns_of_readers_change():
    model = Layer(nn.ReLU, kernels=(1, 3))
    group, moments = parts(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for known in (moments, None):
        changed, _ = merge(model.state_dict(), group, KEPT, known)
        readers = ("readers.0.weight", "readers.1.weight", "linear.weight")
        assert sorted(changed) == sorted(readers)
        for name, tensor in changed.items():
            assert tensor.dtype == before[name].dtype
            assert torch.equal(tensor[:, REMOVED], before[name][:, REMOVED])
    assert all(torch.equal(before[n], t) for n, t in model.state_dict().items())


def test_moments_are_over_all_positions_without_dropout():
    model = Layer(lambda: nn.Sequential(nn.ReLU(), nn.Dropout(0.5)), kernels=(3,))
    group, _ = parts(model)
    model.train()
    moments = record_moments(model, group)
    assert model.training and model.producer.training
    with torch.no_grad():
        hs = torch.cat([torch.relu(model.producer(x)) for x in data()])
    units = hs.movedim(1, 0).flatten(1)
    for name in ("readers.0.weight", "linear.weight"):
        wanted = (units @ units.T / units.size(1)).double()
        found = moments[name]
        for part, rows in ((found.before, slice(None)), (found.cross, KEPT)):
            torch.testing.assert_close(part, wanted[rows], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(found.after, found.cross[:, KEPT])


def test_zero_units_do_not_change():
    """As in gradual pruning, where units removed earlier are zero."""
    model = Layer(nn.ReLU)
    group, _ = parts(model)
    model.load_state_dict(masked(model, group, {}))
    fewer = KEPT[:-1]
    group, moments = parts(model, fewer)
    for known in (moments, None):
        changed, saved = merge(model.state_dict(), group, fewer, known)
        assert saved.merged <= saved.removed < 1
        for name, tensor in changed.items():
            assert tensor.isfinite().all()
            assert torch.equal(tensor[:, REMOVED], torch.zeros_like(tensor[:, REMOVED]))


@pytest.mark.parametrize(
    "axes, moments",
    [
        ([("gated", 0, 2), ("reader", 1, 1)], None),
        ([("one", 0, 1), ("other", 0, 1), ("reader", 1, 1)], None),
        ([("one", 0, 1), ("norm", 0, 1), ("reader", 1, 1)], None),
        ([("embedding", 1, 1), ("reader", 1, 1)], None),
        ([("one", 0, 1), ("reader", 1, 1)], {}),
    ],
)
def test_groups_that_cannot_be_merged_have_a_reason(axes, moments):
    group = Group(
        4,
        tuple(
            Axis(f"{name}.weight", dim, torch.arange(4 * n).view(n, 4))
            for name, dim, n in axes
        ),
    )
    state = {axis.parameter: torch.rand(8, 8) for axis in group.axes}
    state |= {name: torch.rand(8) for name in state if "norm" in name}
    changed, saved = merge(state, group, torch.arange(2), moments)
    assert not changed and not saved.is_merged and saved.how
    assert math.isnan(saved.removed)
