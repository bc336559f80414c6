"""What temperature means to a real-valued prediction."""

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import laplace

from espnet_distill.objectives.base import Taps
from espnet_distill.objectives.registry import build_objective
from espnet_distill.objectives.regression import laplace_distance


def divergence(student, teacher, scale):
    """KL(Laplace(teacher, scale) || Laplace(student, 1)), integrated."""

    def integrand(x):
        p = laplace.logpdf(x, teacher, scale)
        return laplace.pdf(x, teacher, scale) * (p - laplace.logpdf(x, student, 1))

    return quad(integrand, -60, 60, points=[student, teacher], limit=500)[0]


@pytest.mark.parametrize("temperature", [1.2, 2.0, 5.0])
@pytest.mark.parametrize("difference", [0.05, 0.7, 3.0])
def test_it_is_the_divergence_of_two_laplace_distributions(temperature, difference):
    expected = divergence(difference, 0.0, temperature - 1)
    expected -= divergence(0.0, 0.0, temperature - 1)
    x = torch.tensor(difference, dtype=torch.float64)
    found = laplace_distance(x, torch.zeros_like(x), temperature)
    assert found.item() == pytest.approx(expected, abs=1e-6)


def test_at_temperature_1_it_is_the_distance_and_it_gets_there_smoothly():
    x, y = torch.tensor([0.0, 0.3, -2.0]), torch.tensor([0.1, 0.3, 1.0])
    assert torch.equal(laplace_distance(x, y, 1.0), (x - y).abs())
    torch.testing.assert_close(laplace_distance(x, y, 1 + 1e-6), (x - y).abs())


def test_what_is_small_beside_the_temperature_hardly_pulls():
    x = torch.tensor([0.01, 1.0, 10.0], requires_grad=True)
    laplace_distance(x, torch.zeros(3), 2.0).sum().backward()
    torch.testing.assert_close(x.grad, 1 - torch.exp(-x.detach()))


@pytest.mark.parametrize("name", ["mel", "duration", "pitch", "energy"])
def test_every_prediction_is_softened_by_it(name):
    taps = ("mel_before", "mel_after") if name == "mel" else (name,)
    student = Taps(
        {tap: torch.full((1, 2, 1), 0.5) for tap in taps},
        {tap: torch.tensor([2]) for tap in taps},
    )
    teacher = Taps({tap: torch.zeros(1, 2, 1) for tap in taps}, student.lengths)
    plain = build_objective({"type": name})(student, teacher)
    soft = build_objective({"type": name}, temperature=3.0)(student, teacher)
    own = build_objective({"type": name, "temperature": 3.0})(student, teacher)
    expected = laplace_distance(torch.tensor(0.5), torch.tensor(0.0), 3.0)
    assert soft == own < plain
    assert soft / plain == pytest.approx(expected.item() / 0.5)
