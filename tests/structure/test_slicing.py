"""Sliced models are stock models and equal to the masked ones."""

import pytest
import torch

from espnet_distill.data.dummy_batch import dummy_batch
from espnet_distill.structure.groups import find_groups
from espnet_distill.structure.slicing import cut, mask_groups
from espnet_distill.students.find_groups import outputs_of
from espnet_distill.students.size_search import Sizes
from espnet_distill.teachers.taps import TapRecorder

from ..conftest import CONFORMER, WIDE_FASTSPEECH2

LAYERS = {"elayers": 2, "dlayers": 2, "postnet_layers": 3}


def build(conf):
    from espnet2.tts.fastspeech2 import FastSpeech2

    torch.manual_seed(0)
    model = FastSpeech2(idim=30, odim=20, **conf).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.1, 0.3)
    return model


def outputs(model):
    recorder, batch = TapRecorder(model), dummy_batch(model)
    with torch.no_grad():
        model(**batch)
    return recorder.taps.tensors


@pytest.fixture(params=[WIDE_FASTSPEECH2, CONFORMER], ids=["transformer", "conformer"])
def parts(request):
    """A configuration, its config dimensions, and the groups of its model."""
    from espnet2.tts.fastspeech2 import FastSpeech2

    sizes = Sizes(FastSpeech2, 30, 20, request.param | LAYERS)
    traced = build(sizes.conf)
    return sizes.conf, sizes.config_dims, find_groups(traced, outputs_of(traced))


@pytest.mark.parametrize(
    "part, keys",
    [("feed_forward", ("eunits", "dunits")), ("postnet", ("postnet_chans",))],
)
def test_sliced_and_masked_are_equal_and_config_has_the_sizes(parts, part, keys):
    conf, config_dims, groups = parts
    kept = [
        (group, torch.randperm(group.size)[: group.size // 4])
        for group in groups
        if part in group.axes[0].parameter
    ]
    model = build(conf)
    slim, state = cut(model, conf, config_dims, kept)
    assert {key: slim[key] for key in conf if slim[key] != conf[key]} == {
        key: conf[key] // 4 for key in keys
    }
    student = build(slim)
    student.load_state_dict(state)
    model.load_state_dict(mask_groups(model.state_dict(), kept))
    sliced, masked = outputs(student), outputs(model)
    for name in masked:
        torch.testing.assert_close(sliced[name], masked[name], atol=1e-5, rtol=1e-4)


def test_layers_of_different_sizes_are_refused(parts):
    conf, config_dims, groups = parts
    one = next(g for g in groups if "feed_forward.w_1" in g.axes[0].parameter)
    with pytest.raises(ValueError, match="units: layers keep different fractions"):
        cut(build(conf), conf, config_dims, [(one, torch.arange(4))])
