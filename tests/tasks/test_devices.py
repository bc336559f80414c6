"""Trainings and dumps on a pretend GPU: no tensor is made on, or left on, the CPU."""

import pytest
import torch
from espnet2.bin.tts_inference import Text2Speech

import espnet_distill
from espnet_distill.bin import dump_teacher as dump
from espnet_distill.bin import finish_dump
from espnet_distill.data import aligner as align
from espnet_distill.tasks.text2mel import DistillTTSTask
from espnet_distill.vocoders import build_vocoder

from ..conftest import (
    CONFORMER,
    FASTSPEECH,
    FASTSPEECH2,
    FEATURES,
    HOP,
    MEASURES,
    PREDICTORS,
    PRODIFF,
    RATE,
    TACOTRON2,
    TRANSFORMER,
    assert_equal,
    global_mvn,
    load,
    make_experiment,
    model_config,
    stopped_in,
)
from ..pretend_cuda import pretend_cuda
from ..vocoders.big import save_hifigan
from . import test_vocoder as vocoder

OBJECTIVES = [
    {"type": "mel", "temperature": 2.0},
    {"type": "hidden", "tap": "encoder"},
    {"type": "relation", "tap": "encoder"},
]
TIMED = [*OBJECTIVES, {"type": "duration"}]
VARIED = [
    *TIMED,
    {"type": "hidden", "tap": "decoder"},
    {"type": "pitch"},
    {"type": "energy"},
]
ATTENDING = [*OBJECTIVES, {"type": "stop", "temperature": 2.0}, {"type": "attention"}]

COMMON = {"adim": 8, "postnet_layers": 0, **PREDICTORS}
FEED = "encoder.encoders.0.feed_forward"
SIZED = {
    "sizes": {f"{FEED}.w_1": [5, 8], f"{FEED}.w_2": [8, 5]},
    "ranks": {"feat_out": 2, "encoder.encoders.0.self_attn.linear_out": 2},
}
STUDENTS = {
    "fastspeech2": (FASTSPEECH2, VARIED),
    "conformer": (CONFORMER, VARIED),
    "fastspeech2_sized": (FASTSPEECH2 | SIZED, VARIED),
    "gru": (COMMON, VARIED),
    "lstm": (COMMON | {"cell": "lstm", "bidirectional": False}, VARIED),
    "fastspeech2_sepconv": (COMMON, VARIED),
    "fastspeech2_convnext": (
        COMMON | {"elayers": 1, "eunits": 16, "dunits": 16},
        VARIED,
    ),
    "fastspeech": (FASTSPEECH, TIMED),
    "prodiff": (PRODIFF, TIMED),
    "tacotron2": (TACOTRON2, ATTENDING),
    "transformer": (TRANSFORMER | {"reduction_factor": 2}, ATTENDING),
}
CLASSES = {
    "conformer": "fastspeech2",
    "gru": "fastspeech2_rnn",
    "lstm": "fastspeech2_rnn",
}


@pytest.fixture
def gpu(monkeypatch):
    with pretend_cuda(monkeypatch) as labels:
        yield labels


@pytest.fixture(scope="module")
def teachers(corpus, teacher, tmp_path_factory):
    """Experiments by the class of the model."""
    folder = tmp_path_factory.mktemp("teachers")
    others = {"tacotron2": TACOTRON2, "transformer": TRANSFORMER, "prodiff": PRODIFF}
    return {"fastspeech2": teacher} | {
        name: make_experiment(folder / name, tts=name, tts_conf=conf)
        for name, conf in others.items()
    }


def distil(corpus, out, teachers, *options, student="fastspeech2", **changes):
    """Train a student on the GPU, two steps an epoch, and return its checkpoint."""
    espnet_distill.register()
    tts_conf, objectives = STUDENTS[student]
    name = CLASSES.get(student, student)
    conf = {"objectives": objectives} | changes.pop("distill_conf", {})
    settings = {"max_epoch": 1, "teacher": [str(item) for item in teachers]}
    if teachers:
        settings["distill_conf"] = conf
    if name == "prodiff" or name.startswith("fastspeech2"):
        settings |= {key: x for key, x in model_config().items() if "_extract" in key}
        settings |= global_mvn(**{name: corpus.stats(name) for name in MEASURES})
    config = corpus.config(
        out.with_suffix(".yaml"), name, tts_conf, **settings | changes
    )
    command = corpus.training(config, out)
    DistillTTSTask.main(cmd=[*command, "--ngpu", "1", *options])
    return load(out / "checkpoint.pth")


def teacher_of(student):
    """Return the class of a teacher that has what the student's objectives read."""
    others = {"transformer": "tacotron2", "tacotron2": "transformer"}
    return (others | {"fastspeech": "prodiff"}).get(student, "fastspeech2")


@pytest.mark.parametrize("student", STUDENTS)
def test_a_student_with_its_teacher_online(corpus, teachers, gpu, student, tmp_path):
    online = teachers[teacher_of(student)]
    checkpoint = distil(corpus, tmp_path / "exp", [online], student=student)
    assert len(gpu) > 100
    found = checkpoint["reporter"]["stats"][1]["valid"]
    assert all(value > 0 for name, value in found.items() if name.startswith("distill"))
    config, model = (tmp_path / "exp" / name for name in ("config.yaml", "1epoch.pth"))
    synthesize = Text2Speech(config, model, device="cuda")
    shorten(synthesize.tts)
    mel = synthesize("two words")["feat_gen"]
    assert mel in gpu and mel.size(1) == FEATURES["n_mels"]


def test_a_teacher_of_durations_for_a_student_that_attends(
    corpus, teachers, gpu, tmp_path
):
    conf = {"objectives": [{"type": "mel"}, {"type": "attention"}]}
    online = [teachers["fastspeech2"]]
    distil(corpus, tmp_path / "exp", online, student="tacotron2", distill_conf=conf)


def shorten(tts):
    """Let a model with random weights predict two frames a token."""
    if hasattr(tts, "duration_predictor"):
        linear = tts.duration_predictor.linear
        torch.nn.init.zeros_(linear.weight)
        torch.nn.init.ones_(linear.bias)


def test_two_teachers_are_fused(corpus, teachers, gpu, tmp_path):
    both = [teachers["fastspeech2"], teachers["tacotron2"]]
    conf = {"fusion": "confidence", "objectives": OBJECTIVES}
    checkpoint = distil(corpus, tmp_path / "exp", both, distill_conf=conf)
    found = checkpoint["reporter"]["stats"][1]["train"]
    assert found["teacher_weight1"] + found["teacher_weight2"] == pytest.approx(1)


def test_a_teacher_is_dumped_and_a_student_trained_on_the_dump(
    corpus, teachers, gpu, tmp_path
):
    conf = {
        "teacher": [str(teachers["fastspeech2"])],
        "distill_conf": {"objectives": VARIED},
    }
    config = corpus.config(tmp_path / "train.yaml", **conf)
    for name in ("train", "valid"):
        source = corpus.root / name
        options = ["--config", config, "--output_dir", tmp_path / "dump" / name]
        job = ["--ngpu", "1", "--key_file", source / "text"]
        for item in (
            "text,text,text",
            "wav.scp,speech,sound",
            "durations,durations,text_int",
        ):
            job += ["--data_path_and_name_and_type", source / item]
        dump.main([str(word) for word in [*options, *job]])
        finish_dump.main([str(word) for word in [*options, "--text", source / "text"]])
    assert len(gpu) > 100
    dumped = str(tmp_path / "dump")
    distil(corpus, tmp_path / "exp", [teachers["fastspeech2"]], teacher_dump=dumped)


CALLBACKS = [
    {"type": "prune", "pressure": 0.3, "start": 0, "end": 4, "interval": 1} | own
    for own in (
        {"criterion": "wanda", "merge": True, "prune_also": ["heads"]},
        {"criterion": "gates"},
    )
]


@pytest.mark.parametrize("callback", CALLBACKS, ids=["wanda", "gates"])
def test_a_pruned_student_resumes(corpus, teachers, gpu, callback, tmp_path):
    beside = [teachers["fastspeech2"]]
    settings = {"student": "conformer", "callbacks": [callback], "max_epoch": 2}
    whole = distil(corpus, tmp_path / "whole", beside, **settings)
    stopped = tmp_path / "stopped"
    with stopped_in(2), pytest.raises(KeyboardInterrupt):
        distil(corpus, stopped, beside, **settings)
    resumed = distil(corpus, stopped, beside, "--resume", "true", **settings)
    assert_equal(resumed["model"], whole["model"])


def test_durations_are_aligned(corpus, gpu, tmp_path, monkeypatch):
    monkeypatch.setattr(align, "DataLoader", in_this_process)
    options = ["--data", corpus.root / "valid", "--output_dir", tmp_path, "--steps", 2]
    options += ["--token_list", corpus.token_list, "--token_type", "char", "--ngpu", 1]
    options += ["--fs", RATE, "--n_fft", 512, "--n_shift", HOP]
    align.main([str(word) for word in options])
    assert len((tmp_path / "valid/durations").read_text().splitlines()) == 2


def in_this_process(*args, num_workers, **kwargs):
    return torch.utils.data.DataLoader(*args, **kwargs)


@pytest.fixture(scope="module")
def waves(corpus, teacher, tmp_path_factory):
    """A dump of waves, made on the GPU."""
    folder = tmp_path_factory.mktemp("waves")
    (folder / "big").mkdir()
    big = save_hifigan(folder / "big", FEATURES, [8, 16])
    with pytest.MonkeyPatch.context() as monkeypatch, pretend_cuda(monkeypatch):
        vocoder.dump(corpus, big, teacher, folder, "--device", "cuda")
    vocoder.dump(corpus, big, teacher, folder, "--finish")
    return folder


SMALL = {"channels": 8, "hidden_channels": 16, "layers": 1}
GENERATORS = {
    "istft_generator": SMALL,
    "harmonic_istft_generator": SMALL,
    "multiband_istft_generator": {
        "channels": 8,
        "upsample_scales": [2, 4],
        "resblock_kernel_sizes": [3],
        "resblock_dilations": [[1]],
    },
    "hifigan_generator": {
        "channels": 8,
        "upsample_scales": [8, 16],
        "upsample_kernel_sizes": [16, 32],
        "resblock_kernel_sizes": [3],
        "resblock_dilations": [[1]],
    },
}
PERIOD = {"channels": 4, "max_downsample_channels": 8}
SCALE = PERIOD | {"max_groups": 1, "downsample_scales": [2, 1]}
DISCRIMINATORS = {
    "hifigan_period_discriminator": PERIOD,
    "hifigan_scale_discriminator": SCALE,
    "hifigan_multi_period_discriminator": {
        "periods": [2],
        "discriminator_params": PERIOD,
    },
    "hifigan_multi_scale_discriminator": {"scales": 2, "discriminator_params": SCALE},
    "hifigan_multi_scale_multi_period_discriminator": {
        "scales": 2,
        "scale_discriminator_params": SCALE,
        "periods": [2],
        "period_discriminator_params": PERIOD,
    },
    "melgan_multi_scale_discriminator": PERIOD
    | {"scales": 2, "downsample_scales": [4]},
    "style_melgan_discriminator": {
        "repeats": 1,
        "window_sizes": [128, 256],
        "pqmf_params": [[1, None, None, None], [2, 62, 0.267, 9.0]],
        "discriminator_params": PERIOD | {"downsample_scales": [4, 1]},
    },
    "msstft_discriminator": {
        "filters": 2,
        "n_ffts": [64],
        "hop_lengths": [16],
        "win_lengths": [64],
    },
}


def train_vocoder(corpus, teacher, waves, out, *options, **changes):
    config = vocoder.write_config(
        teacher,
        out.with_suffix(".yaml"),
        waves,
        num_iters_per_epoch=2,
        max_epoch=1,
        **changes,
    )
    vocoder.train(corpus, config, out, "--ngpu", 1, *options)
    return load(out / "checkpoint.pth")


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_vocoder_of_each_generator(corpus, teacher, waves, gpu, generator, tmp_path):
    tts_conf = {"vocoder_type": generator, "vocoder_params": GENERATORS[generator]}
    objectives = {"objectives": [{"type": "stft", "sizes": [64, 256]}]}
    if generator == "harmonic_istft_generator":
        objectives = vocoder.HARMONIC["distill_conf"]
    model = vocoder.MODEL | {"adversarial_start": 1}
    changes = {"tts_conf": tts_conf, "distill_conf": objectives, "model_conf": model}
    out = tmp_path / "exp"
    train_vocoder(corpus, teacher, waves, out, **changes)
    train_vocoder(
        corpus, teacher, waves, out, "--resume", "true", "--max_epoch", 2, **changes
    )
    trained = build_vocoder(out / "2epoch.pth", device="cuda")
    wave = trained(torch.randn(30, FEATURES["n_mels"], device="cuda"))
    assert wave in gpu and wave.shape == (30 * HOP,)


def test_a_vocoder_with_a_component_of_free_phase(
    corpus, teacher, waves, gpu, tmp_path
):
    complete = vocoder.with_component(waves, tmp_path / "dump")
    train_vocoder(corpus, teacher, complete, tmp_path / "exp", **vocoder.FREE_PHASE)


@pytest.mark.parametrize("discriminator", DISCRIMINATORS)
def test_a_vocoder_before_each_discriminator(
    corpus, teacher, waves, gpu, discriminator, tmp_path
):
    model = vocoder.MODEL | {
        "adversarial_start": 0,
        "discriminator_type": discriminator,
        "discriminator_params": DISCRIMINATORS[discriminator],
    }
    train_vocoder(corpus, teacher, waves, tmp_path / "exp", model_conf=model)


def test_every_generator_and_discriminator_is_among_them():
    from espnet_distill.objectives import registry as objectives
    from espnet_distill.vocoders.generators import registry as generators
    from espnet_distill.vocoders.training import gan

    assert set(GENERATORS) == set(generators.GENERATORS)
    assert set(DISCRIMINATORS) == set(gan.DISCRIMINATORS)
    seen = {item["type"] for item in VARIED + ATTENDING} | {"stft", "f0", "free_phase"}
    assert seen == set(objectives.OBJECTIVES)


# The pretend GPU finds faults


def test_a_tensor_made_on_the_cpu_is_found(
    corpus, teachers, gpu, monkeypatch, tmp_path
):
    def mean_before(error, lengths, utterance_weights=None):
        steps = torch.arange(error.size(1))  # on which device?
        return error[steps < lengths.unsqueeze(1)].mean()

    monkeypatch.setattr("espnet_distill.objectives.regression.masked_mean", mean_before)
    with pytest.raises(RuntimeError, match="at least two devices, cuda:0 and cpu"):
        distil(corpus, tmp_path / "exp", [teachers["fastspeech2"]])
