import itertools

import pytest
import torch

from espnet_distill.experiments.experiment import Experiment
from espnet_distill.profiling.macs import (
    decoder_parameters,
    macs_per_second,
    parameters,
)
from espnet_distill.profiling.speed import (
    Stages,
    SynthesisRun,
    inputs_of,
    measure,
    median_of,
    round_robin,
    run_synthesis,
    three_lengths,
)
from espnet_distill.profiling.text2speech import load

from ..teachers.text_to_wave_models import jets, joint, make_slow, vits

TEXT_TO_WAVE = {"vits": vits(), "jets": jets(), "joint": joint()}


def test_three_lengths():
    texts = ["x" * length for length in range(100, 0, -1)]
    assert [len(text) for text in three_lengths(texts)] == [11, 51, 90]
    assert three_lengths(["alone"]) == ["alone"] * 3


def test_round_robin_rotates_the_order():
    names = ["teacher", "student", "other"]
    order = list(round_robin(names, sentences=3, repeats=2))
    rounds = [order[start : start + 3] for start in range(0, len(order), 3)]
    assert [{name for _, name in one} for one in rounds] == [set(names)] * 6
    assert [{sentence for sentence, _ in one} for one in rounds] == [{0}, {1}, {2}] * 2
    assert {one[0][1] for one in rounds} == set(names)


@pytest.mark.parametrize("threads", [1, 2])
def test_systems_alternate_on_so_many_threads(systems, threads):
    calls = []

    def record(name):
        return lambda *_: calls.append((name, torch.get_num_threads()))

    hooks = [
        system.tts.encoder.register_forward_pre_hook(record(name))
        for name, system in systems.items()
    ]
    before = 3 - threads
    torch.set_num_threads(before)
    try:
        found = measure(systems, ["a", "few words"], repeats=2, threads=threads)
        assert torch.get_num_threads() == before
    finally:
        for hook in hooks:
            hook.remove()
    order = [name for name, _ in calls]
    assert len(order) == 2 * 2 * (2 + 1)
    pairs = [set(order[start : start + 2]) for start in range(0, len(order), 2)]
    assert pairs == [set(systems)] * 6
    assert {count for _, count in calls} == {threads}
    for speed in found.values():
        assert 0 < speed.rtf.text2mel < speed.rtf.text2wav
        assert 0 < speed.rtf.mel2wav < speed.rtf.text2wav


def test_stages_add_up_and_are_of_a_second_of_speech(systems):
    system = systems["teacher"]
    readings = iter([10, 13, 18, 20])
    inputs = inputs_of(system, "few words")
    run = run_synthesis(system, inputs, lambda: next(readings))
    torch.manual_seed(0)
    seconds = len(system(**inputs)["wav"]) / system.fs
    stages = Stages(3 / seconds, 7 / seconds, 10 / seconds)
    assert run == SynthesisRun(stages, seconds, first=8)


def test_latency_is_that_of_the_first_chunk():
    class StreamingVocoder:
        """Vocoder of ten samples per frame."""

        def stream(self, mels, chunk):
            yield from mels[:, :1].repeat(1, 10).view(-1).split(10 * chunk)

    class Text2Mel:
        """Text-to-mel model with the interface of Text2Speech."""

        vocoder, fs = StreamingVocoder(), 100

        def __call__(self, text):
            return {"wav": self.vocoder(torch.arange(12.0).view(6, 2))}

    clock = itertools.count()
    run = run_synthesis(Text2Mel(), {"text": None}, lambda: next(clock), chunk=4)
    assert run.seconds == 0.6
    assert run.first == 2  # readings: start, mels, first chunk


def test_a_model_without_mels_has_no_stages():
    class Text2Wav:
        """End-to-end model with the interface of Text2Speech."""

        vocoder, fs = None, 100

        def __call__(self, text):
            return {"wav": torch.zeros(200)}

    readings = iter([0, 8])
    run = run_synthesis(Text2Wav(), {"text": None}, lambda: next(readings))
    assert median_of([run.stages] * 3) == Stages(None, None, 4)
    assert run.first == 8


@pytest.mark.parametrize("kind", TEXT_TO_WAVE)
def test_the_decoder_of_a_text_to_waveform_model_is_a_stage(kind, tmp_path):
    exp = make_slow(tmp_path / "exp", **TEXT_TO_WAVE[kind])
    system = load(Experiment(exp))
    readings = iter([10, 13, 18, 20])
    run = run_synthesis(system, inputs_of(system, "few words"), lambda: next(readings))
    assert run.stages.text2wav == pytest.approx(10 / run.seconds)
    assert run.stages.text2latents == pytest.approx(5 / run.seconds)
    assert run.stages.latents2wav == pytest.approx(5 / run.seconds)
    whole, decoder = parameters(system.tts), decoder_parameters(system.tts)
    assert 0 < decoder < whole
    macs = macs_per_second(system, ["few words"])
    assert macs.text2latents + macs.latents2wav == pytest.approx(macs.text2wav)


def test_the_vocoder_stays_with_its_system(systems):
    vocoder = systems["teacher"].vocoder
    measure({"teacher": systems["teacher"]}, ["abc"], repeats=1)
    assert systems["teacher"].vocoder is vocoder is not None
