"""Unit merging in ESPnet's models: methods, and errors below those of removal."""

import copy

import pytest
import torch

from espnet_distill.data.dummy_batch import dummy_batch
from espnet_distill.structure.groups import find_groups
from espnet_distill.structure.homogeneity import is_homogeneous
from espnet_distill.structure.slicing import mask_groups
from espnet_distill.structure.statistics.calibration import Calibration
from espnet_distill.structure.statistics.importance import magnitude
from espnet_distill.structure.unit_merging import format_results, merge_groups
from espnet_distill.students.find_groups import outputs_of
from espnet_distill.teachers.taps import TapRecorder

from ..conftest import CONFORMER, TRANSFORMER, WIDE_FASTSPEECH2

POSTNET = {"postnet_layers": 3}
MODELS = {
    "transformer": WIDE_FASTSPEECH2 | POSTNET,
    "linear": WIDE_FASTSPEECH2 | POSTNET | {"positionwise_layer_type": "linear"},
    "conformer": CONFORMER | POSTNET,
    "swish": CONFORMER | POSTNET | {"positionwise_layer_type": "linear"},
    "autoregressive": TRANSFORMER | {"dprenet_units": 12},
}


@pytest.fixture(params=MODELS)
def model(request):
    from espnet2.tts.fastspeech2 import FastSpeech2
    from espnet2.tts.transformer import Transformer

    torch.manual_seed(0)
    kind = Transformer if request.param == "autoregressive" else FastSpeech2
    return kind(idim=30, odim=20, **MODELS[request.param]).eval()


def groups_of(model):
    traced = copy.deepcopy(model)
    return find_groups(traced, outputs_of(traced))


def run(model, _):
    model(**dummy_batch(model))


def named(groups, *parts):
    return [
        group
        for group in groups
        if any(part in group.axes[0].parameter for part in parts)
    ]


def sentences(model):
    generator = torch.Generator().manual_seed(0)
    batches = []
    for _ in range(4):
        batches.append(dummy_batch(model))
        shape = batches[-1]["text"].shape
        batches[-1]["text"] = torch.randint(1, 29, shape, generator=generator)
    return Calibration(batches, lambda batch: model(**batch)[0])


def mels(model, state):
    model = copy.deepcopy(model)
    model.load_state_dict(state)
    recorder, parts = TapRecorder(model), []
    with torch.no_grad():
        calibration = sentences(model)
        for batch in calibration.batches:
            calibration.loss(batch)
            parts.append(recorder.taps.tensors["mel_after"].flatten())
    return torch.cat(parts)


def test_homogeneous_groups_are_the_rectified_ones(model, request):
    """A conformer's convolutions are rectified, its linear layers are not."""
    homogeneous = {
        group.axes[0].parameter
        for group in groups_of(model)
        if is_homogeneous(model, group, run)
    }
    feed_forward = named(groups_of(model), "forward.w_1.", "forward_macaron.w_1.")
    rectified = {group.axes[0].parameter for group in feed_forward}
    is_swish = "swish" in request.node.name
    assert rectified and homogeneous == (set() if is_swish else rectified)


def test_homogeneity_restores_the_model(model):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for group in groups_of(model):
        is_homogeneous(model, group, run)
    assert all(torch.equal(before[n], t) for n, t in model.state_dict().items())
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_merging_with_data_beats_removal(model):
    groups = named(groups_of(model), "feed_forward.", "macaron.", "postnet", "conv_m")
    kept = [
        (group, magnitude(group, model.state_dict()).topk(group.size // 2).indices)
        for group in groups
    ]
    state, saved = merge_groups(model, kept, run, sentences(model))
    assert {errors.how for errors in saved} == {"least squares"}
    assert all(errors.merged < errors.removed for errors in saved)
    whole = mels(model, model.state_dict())
    removed = mels(model, mask_groups(model.state_dict(), kept))
    assert (mels(model, state) - whole).norm() < 0.7 * (removed - whole).norm()
    for name, tensor in mask_groups(state, kept).items():
        assert torch.equal(tensor, state[name])


def test_without_data_smooth_groups_are_only_removed(model):
    groups = named(groups_of(model), "feed_forward.w_1", "postnet")
    kept = [(group, torch.arange(group.size // 2)) for group in groups]
    state, saved = merge_groups(model, kept, run)
    removed = mask_groups(model.state_dict(), kept)
    for group, errors in zip(groups, saved):
        for axis in group.axes:
            changed = not torch.equal(state[axis.parameter], removed[axis.parameter])
            assert changed == (errors.is_merged and axis.dim == 1)
    lines = format_results(groups, saved)
    passed = [g.axes[0].parameter for g, e in zip(groups, saved) if not e.is_merged]
    assert len(lines) == len({errors.how for errors in saved})
    assert all(any(name in line for line in lines) for name in passed)
