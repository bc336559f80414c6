"""Initialization from a teacher: equal to the teacher with other units masked."""

import copy

import pytest
import torch

from espnet_distill.data.dummy_batch import dummy_batch
from espnet_distill.errors import ConfigError
from espnet_distill.structure.groups import find_groups
from espnet_distill.structure.slicing import mask_groups
from espnet_distill.students.find_groups import outputs_of
from espnet_distill.students.init_from_teacher import (
    drop_layers,
    initialize,
    narrow,
)
from espnet_distill.students.size_search import Sizes
from espnet_distill.teachers.taps import TapRecorder

from ..conftest import CONFORMER, TACOTRON2, WIDE_FASTSPEECH2

TEACHER = WIDE_FASTSPEECH2 | {"elayers": 3, "postnet_layers": 3, "aheads": 4}
SHALLOW = {"elayers": 2}
SCALED = WIDE_FASTSPEECH2 | {"use_scaled_pos_enc": True}
CONFORMER_TEACHER = {**CONFORMER, **TEACHER, "stop_gradient_from_pitch_predictor": True}


def build(conf, seed=0):
    from espnet2.tts.fastspeech2 import FastSpeech2

    torch.manual_seed(seed)
    model = FastSpeech2(idim=30, odim=20, **conf).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.1, 0.3)
    return model


def cut(teacher, student):
    teacher = copy.deepcopy(teacher)
    drop_layers(teacher, student)
    narrowed = narrow(teacher, student, find_groups(teacher, outputs_of(teacher)))
    student.load_state_dict(narrowed.state)
    return narrowed


def outputs(model):
    model = copy.deepcopy(model)
    recorder, batch = TapRecorder(model), dummy_batch(model)
    with torch.no_grad():
        model(**batch)
    return recorder.taps.tensors


def assert_same_outputs(one, other):
    outputs_of_one, expected = outputs(one), outputs(other)
    for name in expected:
        torch.testing.assert_close(
            outputs_of_one[name], expected[name], atol=1e-5, rtol=1e-4
        )


def masked(teacher, part, kept):
    """The teacher with all but some units of every group of a part at zero."""
    traced = copy.deepcopy(teacher)
    groups = [
        group
        for group in find_groups(traced, outputs_of(traced))
        if part in group.axes[0].parameter and group.size > kept
    ]
    assert groups
    units = torch.randperm(groups[0].size)[:kept]
    state = mask_groups(teacher.state_dict(), [(group, units) for group in groups])
    teacher.load_state_dict(state)
    return teacher


@pytest.mark.parametrize(
    "conf", [TEACHER, CONFORMER_TEACHER], ids=["transformer", "conformer"]
)
@pytest.mark.parametrize(
    "part, slim",
    [("feed_forward", {"eunits": 6, "dunits": 6}), ("postnet", {"postnet_chans": 6})],
)
def test_masked_teacher_and_student_are_equal(conf, part, slim):
    teacher = masked(build(conf), part, kept=6)
    student = build(conf | slim, seed=1)
    assert cut(teacher, student).untouched == []
    assert_same_outputs(student, teacher)


def test_student_of_the_same_shape_equals_the_teacher():
    teacher, student = build(CONFORMER_TEACHER), build(CONFORMER_TEACHER, seed=1)
    cut(teacher, student)
    assert_same_outputs(student, teacher)


def test_inner_layers_are_removed():
    teacher, student = build(TEACHER), build(TEACHER | {"elayers": 2}, seed=1)
    cut(teacher, student)
    del teacher.encoder.encoders[1]
    assert_same_outputs(student, teacher)


@pytest.mark.parametrize(
    "conf", [TEACHER, CONFORMER_TEACHER], ids=["transformer", "conformer"]
)
def test_all_tensors_of_a_narrower_model_are_the_teachers(conf):
    slim = {"adim": 8, "aheads": 2, "eunits": 12, "elayers": 1, "postnet_chans": 4}
    student = build(conf | slim, seed=1)
    initial = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    narrowed = cut(build(conf), student)
    assert narrowed.untouched == []
    for name, tensor in narrowed.state.items():
        if tensor.is_floating_point() and "running" not in name:
            assert not torch.equal(tensor, initial[name]), name


def test_tensors_without_counterpart_are_named():
    student = build(TEACHER | {"spks": 2}, seed=1)
    assert cut(build(TEACHER), student).untouched == ["sid_emb.weight"]


@pytest.mark.parametrize(
    "larger, words",
    [
        ({"eunits": 32}, "feed_forward.w_1.weight: 32 units in the student, 16"),
        ({"elayers": 4}, "encoder.encoders: 4 layers in the student, 3"),
        ({"aheads": 2}, "aheads: 2 heads of 8 channels .* 4 of 4"),
    ],
)
def test_larger_students_are_refused(larger, words):
    with pytest.raises(ConfigError, match=words):
        cut(build(TEACHER), build(TEACHER | {"dunits": 8, "adim": 16} | larger))


def test_recurrent_layers_are_dropped():
    from espnet2.tts.tacotron2 import Tacotron2

    conf = TACOTRON2 | {"eunits": 16, "elayers": 3}
    teacher, student = Tacotron2(30, 20, **conf), Tacotron2(30, 20, **conf | SHALLOW)
    weights = copy.deepcopy(teacher.state_dict())
    sizes = Sizes(Tacotron2, 30, 20, conf)
    narrowed = initialize(student, teacher, sizes, SHALLOW, "magnitude", None)
    assert narrowed.untouched == []
    for name, tensor in student.state_dict().items():
        assert torch.equal(tensor, weights[name]), name


def test_a_deeper_recurrent_student_is_refused():
    from espnet2.tts.tacotron2 import Tacotron2

    teacher = Tacotron2(30, 20, **TACOTRON2 | SHALLOW)
    student = Tacotron2(30, 20, **TACOTRON2 | {"elayers": 3})
    with pytest.raises(ConfigError, match="enc.blstm: 3 layers in the student, 2 in"):
        drop_layers(teacher, student)


@pytest.mark.parametrize(
    "confs",
    [(CONFORMER, SCALED), (SCALED, CONFORMER)],
    ids=["of a conformer", "of a transformer"],
)
def test_another_kind_of_layers(confs):
    """Of positions, a transformer trains a scale beside its embedding."""
    from espnet2.tts.fastspeech2 import FastSpeech2

    teacher, student = (build(conf, seed) for seed, conf in enumerate(confs))
    embedding = teacher.encoder.embed[0].weight.clone()
    sizes = Sizes(FastSpeech2, 30, 20, confs[0])
    narrowed = initialize(student, teacher, sizes, confs[1], "magnitude", None)
    assert torch.equal(student.encoder.embed[0].weight, embedding)
    assert "feat_out.weight" not in narrowed.untouched
    has_scale = "encoder.embed.1.alpha" in narrowed.untouched
    assert has_scale == (confs[1] is SCALED)


@pytest.mark.parametrize("key", ["postnet_layers", "prenet_layers", "econv_layers"])
def test_a_stack_that_the_student_lacks(key):
    """The presets of Tacotron2 have no postnet."""
    from espnet2.tts.tacotron2 import Tacotron2

    teacher_conf = TACOTRON2 | {"econv_layers": 2, "prenet_layers": 2, "dunits": 24}
    conf = teacher_conf | {key: 0, "dunits": 16}
    if key == "econv_layers":
        conf |= {"embed_dim": 8, "econv_chans": 8}
    teacher, student = Tacotron2(30, 20, **teacher_conf), Tacotron2(30, 20, **conf)
    sizes = Sizes(Tacotron2, 30, 20, teacher_conf)
    untouched = initialize(student, teacher, sizes, conf, "magnitude", None).untouched
    changed = {"prenet_layers": ["dec.lstm.0.cell.weight_ih"]}
    assert untouched == changed.get(key, [])


def test_a_postnet_of_one_layer_is_refused():
    student = build(TEACHER | {"postnet_layers": 1})
    with pytest.raises(ConfigError, match="postnet.postnet: 1 layer in the student"):
        drop_layers(build(TEACHER), student)
