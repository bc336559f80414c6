import torch

from espnet_distill.evaluation.speed import real_time_factors, three_lengths, turns


def test_three_lengths():
    texts = ["x" * length for length in range(100, 0, -1)]
    assert [len(text) for text in three_lengths(texts)] == [11, 51, 90]
    assert three_lengths(["alone"]) == ["alone"] * 3


def test_turns_give_every_system_one_turn_a_round_and_each_its_go_first():
    names = ["teacher", "student", "other"]
    order = list(turns(names, sentences=3, repeats=2))
    rounds = [order[start : start + 3] for start in range(0, len(order), 3)]
    assert [{name for _, name in one} for one in rounds] == [set(names)] * 6
    assert [{sentence for sentence, _ in one} for one in rounds] == [{0}, {1}, {2}] * 2
    assert {one[0][1] for one in rounds} == set(names)


def test_systems_alternate_on_one_thread(systems):
    calls = []

    def record(name):
        return lambda *_: calls.append((name, torch.get_num_threads()))

    hooks = [
        system.tts.encoder.register_forward_pre_hook(record(name))
        for name, system in systems.items()
    ]
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = real_time_factors(systems, ["a", "few words"], repeats=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
        for hook in hooks:
            hook.remove()
    spoken = [name for name, _ in calls[::2]]  # each turn runs with and without wav
    assert len(spoken) == 2 * 2 * (2 + 1)
    pairs = [set(spoken[start : start + 2]) for start in range(0, len(spoken), 2)]
    assert pairs == [set(systems)] * 6
    assert {count for _, count in calls} == {1}
    for factors in found.values():
        assert 0 < factors.text2mel < factors.text2wav


def test_the_vocoder_stays_with_its_system(systems):
    vocoder = systems["teacher"].vocoder
    real_time_factors({"teacher": systems["teacher"]}, ["abc"], repeats=1)
    assert systems["teacher"].vocoder is vocoder is not None
