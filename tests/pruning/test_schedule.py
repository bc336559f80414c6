"""A schedule is a function of the step, rises, and ends at its last value."""

import pytest

from espnet_distill.errors import ConfigError
from espnet_distill.pruning.schedule import Schedule


def test_cubic_equals_zhu_and_gupta():
    """s(t) = s_f - s_f (1 - (t - t_0) / (n Δt))³, with n Δt from t_0 to the end."""
    schedule = Schedule("cubic", 2000, 12000, 100)
    for step in (2500, 4500, 9900):
        expected = 1 - (1 - (step - 2000) / (100 * 100)) ** 3
        assert schedule.progress(step) == pytest.approx(expected, abs=1e-12)
    assert schedule.progress(7000) == 0.875


@pytest.mark.parametrize("kind", ["cubic", "linear"])
def test_progress_rises_from_0_to_1(kind):
    schedule = Schedule(kind, 10, 100, 7)
    progress = [schedule.progress(step) for step in range(120)]
    assert progress == sorted(progress)
    assert set(progress[:11]) == {0.0} and set(progress[100:]) == {1.0}
    assert 0 < progress[11] and progress[99] < 1
    updates = [step for step in range(120) if schedule.is_update(step)]
    assert updates == [*range(17, 100, 7), 100]
    assert [schedule.is_final(step) for step in (0, 99, 100, 101)] == [0, 0, 1, 1]


def test_linear_is_half_at_midpoint():
    assert Schedule("linear", 10, 110, 10).progress(60) == 0.5


def test_one_shot_prunes_all_at_start():
    schedule = Schedule("one_shot", 50)
    assert [schedule.progress(step) for step in (0, 49, 50, 51)] == [0, 0, 1, 1]
    assert [step for step in range(100) if schedule.is_update(step)] == [50]
    assert schedule.is_final(50) and not schedule.is_final(49)


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule("cubic", 10, 100, 7),
        Schedule("linear", 0, 9, 20),
        Schedule("one_shot", 5),
        Schedule("cubic", 1, 4, unit="epoch"),
    ],
)
def test_until_update(schedule):
    updates = [step for step in range(120) if schedule.is_update(step)]
    for step in range(110):
        after = [update for update in updates if update > step]
        expected = after[0] - step if after else None
        assert schedule.until_update(step) == expected


def test_default_interval_is_one_epoch():
    schedule = Schedule("linear", 1, 5, unit="epoch")
    assert [n for n in range(9) if schedule.is_update(n)] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    "keys, message",
    [
        ({"kind": "square", "end": 5}, "schedule: no 'square'; there are cubic,"),
        ({"unit": "hour", "end": 5}, "unit: no 'hour'; there are step, epoch"),
        ({}, "end: missing; give the step"),
        ({"start": 5, "end": 5}, "end: 5 is not after start, 5"),
        ({"start": -1, "end": 5}, "start: -1 is no whole number"),
        ({"start": 1.5, "end": 5}, "start: 1.5 is no whole number"),
        ({"end": 5, "interval": 0}, "interval: 0 is no whole number"),
        ({"kind": "one_shot", "start": 0}, "start: 0 is no whole number of at least 1"),
        ({"kind": "one_shot", "start": 4, "end": 5}, "end: one_shot has none"),
    ],
)
def test_invalid_keys(keys, message):
    with pytest.raises(ConfigError, match=message):
        Schedule(**keys)
