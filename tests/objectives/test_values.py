"""Every objective on two utterances that can be reckoned by hand."""

import math

import pytest
import torch

from espnet_distill.errors import ConfigError
from espnet_distill.objectives.base import Taps
from espnet_distill.objectives.registry import build_objective

NAN = math.nan  # what padding must never let through


def taps(values, lengths=(2, 1)):
    tensors = {name: torch.tensor(value) for name, value in values.items()}
    return Taps(tensors, {name: torch.tensor(lengths) for name in tensors})


def value(conf, student, teacher):
    objective = build_objective(conf)
    objective.attach(student, teacher)
    return objective(student, teacher).item()


def test_mel_holds_both_of_the_students_mels_against_the_teachers_last():
    student = taps(
        {
            "mel_before": [[[0.0, 1.0], [2.0, 2.0]], [[1.0, 1.0], [NAN, NAN]]],
            "mel_after": [[[1.0, 1.0], [2.0, 3.0]], [[0.0, 0.0], [NAN, NAN]]],
        }
    )
    teacher = taps(
        {
            "mel_before": [[[9.0, 9.0], [9.0, 9.0]], [[9.0, 9.0], [NAN, NAN]]],
            "mel_after": [[[1.0, 3.0], [2.0, 0.0]], [[0.0, 1.0], [NAN, NAN]]],
        }
    )
    before = (1 + 2 + 0 + 2 + 1 + 0) / 6
    after = (0 + 2 + 0 + 3 + 0 + 1) / 6
    found = value({"type": "mel"}, student, teacher)
    assert found == pytest.approx(before + after)


def test_mel_of_a_student_without_a_postnet_is_one_term():
    student = taps({"mel_before": [[[1.0], [2.0]], [[3.0], [NAN]]]})
    student.tensors["mel_after"] = student["mel_before"]
    student.lengths["mel_after"] = student.lengths["mel_before"]
    teacher = taps({n: [[[0.0], [0.0]], [[0.0], [NAN]]] for n in student.tensors})
    assert value({"type": "mel"}, student, teacher) == pytest.approx((1 + 2 + 3) / 3)


@pytest.mark.parametrize("name", ["duration", "pitch", "energy"])
def test_predictions_of_a_token_by_their_distance(name):
    channel = (lambda x: x) if name == "duration" else (lambda x: [x])
    student = taps(
        {name: [[channel(x) for x in row] for row in ((1.0, 2.0), (3.0, NAN))]}
    )
    teacher = taps(
        {name: [[channel(x) for x in row] for row in ((0.0, 4.0), (2.5, NAN))]}
    )
    found = value({"type": name}, student, teacher)
    assert found == pytest.approx((1 + 2 + 0.5) / 3)


def test_hidden_of_one_width_is_the_mean_distance():
    student = taps({"encoder": [[[1.0, 2.0], [0.0, 0.0]], [[1.0, 1.0], [NAN, NAN]]]})
    teacher = taps({"encoder": [[[0.0, 0.0], [3.0, 0.0]], [[1.0, 2.0], [NAN, NAN]]]})
    conf = {"type": "hidden", "tap": "encoder"}
    assert value(conf, student, teacher) == pytest.approx((1 + 2 + 3 + 0 + 0 + 1) / 6)


def test_hidden_of_two_widths_goes_through_a_projection():
    student = taps({"encoder": [[[1.0], [2.0]], [[3.0], [9.0]]]})
    teacher = taps({"encoder": [[[1.0, 1.0], [2.0, 1.0]], [[0.0, 1.0], [9.0, 9.0]]]})
    objective = build_objective({"type": "hidden", "tap": "encoder"})
    objective.attach(student, teacher)
    with torch.no_grad():
        objective.projection.weight.copy_(torch.tensor([[1.0], [0.0]]))
        objective.projection.bias.copy_(torch.tensor([0.0, 2.0]))
    found = objective(student, teacher)
    assert found.item() == pytest.approx((0 + 1 + 0 + 1 + 3 + 1) / 6)
    found.backward()
    gradient = torch.tensor([[3 / 6], [(1 + 2 + 3) / 6]])
    torch.testing.assert_close(objective.projection.weight.grad, gradient)


@pytest.mark.parametrize("width", [4, 6])
def test_the_projection_is_there_only_where_the_widths_differ(width):
    student, teacher = (
        taps({"encoder": [[[0.0] * 4]]}),
        taps({"encoder": [[[0.0] * width]]}),
    )
    objective = build_objective({"type": "hidden", "tap": "encoder"})
    objective.attach(student, teacher)
    shapes = [tuple(parameter.shape) for parameter in objective.parameters()]
    assert shapes == ([] if width == 4 else [(6, 4), (6,)])


def test_stop_is_the_divergence_of_two_classes():
    student, teacher = (
        taps({"stop": [[0.5, -1.0], [2.0, NAN]]}),
        taps({"stop": [[1.5, -1.0], [-1.0, NAN]]}),
    )

    def divergence(s, t, temperature):
        s, t = (1 / (1 + math.exp(-x / temperature)) for x in (s, t))
        return t * math.log(t / s) + (1 - t) * math.log((1 - t) / (1 - s))

    for temperature in (1.0, 3.0):
        conf = {"type": "stop", "temperature": temperature}
        terms = [divergence(*pair, temperature) for pair in ((0.5, 1.5), (2.0, -1.0))]
        expected = temperature**2 * sum(terms) / 3
        assert value(conf, student, teacher) == pytest.approx(expected, rel=1e-5)


def test_attention_is_the_divergence_over_the_real_tokens():
    rows = {
        "student": [[[0.7, 0.3, 0.0], [0.5, 0.5, 0.0]], [[0.9, 0.1, NAN]] * 2],
        "teacher": [[[0.2, 0.8, 0.0], [0.5, 0.5, 0.0]], [[0.4, 0.6, NAN]] * 2],
    }
    found = {name: taps({"attention": row}) for name, row in rows.items()}
    for item in found.values():
        item.lengths["attention_tokens"] = torch.tensor([3, 2])

    def divergence(student_row, teacher_row, temperature):
        p, q = (
            [x ** (1 / temperature) for x in row] for row in (teacher_row, student_row)
        )
        p, q = ([x / sum(row) for x in row] for row in (p, q))
        return sum(a * math.log(a / b) for a, b in zip(p, q) if a > 0)

    pairs = [((0.7, 0.3), (0.2, 0.8)), ((0.5, 0.5),) * 2, ((0.9, 0.1), (0.4, 0.6))]
    for temperature in (1.0, 2.0):
        conf = {"type": "attention", "temperature": temperature}
        expected = sum(divergence(*pair, temperature) for pair in pairs) / 3
        expected *= temperature**2
        assert value(conf, **found) == pytest.approx(expected, rel=1e-4)


def test_relation_is_the_distance_of_similarities():
    student = taps({"encoder": [[[1.0, 0.0], [0.0, 2.0]], [[1.0, 1.0], [NAN, NAN]]]})
    teacher = taps({"encoder": [[[3.0], [5.0]], [[-1.0], [NAN]]]})
    conf = {"type": "relation", "tap": "encoder"}
    # Orthogonal in the student and parallel in the teacher: 1 in two pairs of four.
    assert value(conf, student, teacher) == pytest.approx((0.5 + 0.5 + 0) / 3)


@pytest.mark.parametrize("name", ["mel", "stop", "attention", "relation", "hidden"])
def test_utterances_are_weighted(name):
    student, teacher = random_taps(0), random_taps(1)
    conf = {"type": name} | (
        {"tap": "encoder"} if name in ("hidden", "relation") else {}
    )
    objective = build_objective(conf)
    objective.attach(student, teacher)
    alone = [objective(student, teacher, weights) for weights in torch.eye(3)]
    whole = objective(student, teacher)
    torch.testing.assert_close(sum(alone), whole)
    torch.testing.assert_close(
        objective(student, teacher, torch.tensor([0.5, 0.0, 0.25])),
        0.5 * alone[0] + 0.25 * alone[2],
    )


CONFS = [
    {"type": "stop"},
    {"type": "attention"},
    {"type": "relation", "tap": "encoder"},
    {"type": "mel"},
    {"type": "hidden", "tap": "encoder"},
    {"type": "duration"},
    {"type": "pitch"},
    {"type": "energy"},
]


def random_taps(seed):
    generator = torch.Generator().manual_seed(seed)
    shapes = {
        "mel_before": (3, 7, 4),
        "mel_after": (3, 7, 4),
        "encoder": (3, 7, 2 + seed),
        "duration": (3, 7),
        "pitch": (3, 7, 1),
        "energy": (3, 7, 1),
        "stop": (3, 7),
        "attention": (3, 7, 5),
    }
    tensors = {
        name: torch.randn(shape, generator=generator) for name, shape in shapes.items()
    }
    tokens = torch.tensor([5, 3, 2])
    padding = torch.arange(5) >= tokens[:, None, None]
    tensors["attention"] = tensors["attention"].masked_fill(padding, -1e9).softmax(2)
    lengths = {name: torch.tensor([7, 4, 2]) for name in shapes}
    return Taps(tensors, lengths | {"attention_tokens": tokens})


@pytest.mark.parametrize("conf", CONFS, ids=lambda conf: conf["type"])
def test_neither_padding_nor_order_changes_a_value(conf):
    student, teacher = random_taps(0), random_taps(1)
    objective = build_objective(conf)
    objective.attach(student, teacher)
    expected = objective(student, teacher).item()

    def changed(change, change_lengths=lambda lengths: lengths):
        taken = [
            Taps(
                {name: change(tensor) for name, tensor in item.tensors.items()},
                {name: change_lengths(value) for name, value in item.lengths.items()},
            )
            for item in (student, teacher)
        ]
        return objective(*taken).item()

    def longer(tensor):
        more = tensor.new_full((3, 5, *tensor.shape[2:]), NAN)
        return torch.cat([tensor, more], dim=1)

    def shuffled(tensor):
        return tensor[[2, 0, 1]]

    assert changed(longer) == pytest.approx(expected, rel=1e-6)
    assert changed(shuffled, shuffled) == pytest.approx(expected, rel=1e-6)


def test_a_tap_that_one_side_lacks_is_named_with_those_there_are():
    student, teacher = random_taps(0), random_taps(1)
    del teacher.tensors["pitch"]
    with pytest.raises(ConfigError) as caught:
        build_objective({"type": "pitch"}).attach(student, teacher)
    assert "pitch: the teacher has no tap 'pitch'; it has mel_before, " in str(
        caught.value
    )
    with pytest.raises(ConfigError, match="energy: the student has no tap 'energy'"):
        build_objective({"type": "energy"}).attach(taps({}), teacher)


def test_hidden_taps_of_different_steps_are_refused():
    student, teacher = random_taps(0), random_taps(1)
    teacher.tensors["encoder"] = torch.zeros(3, 9, 2)
    with pytest.raises(ConfigError, match="has 7 steps where the teacher's has 9"):
        build_objective({"type": "hidden", "tap": "encoder"}).attach(student, teacher)
