"""DistillTTSModel on a random batch: what learns, what stays, what is saved."""

import numpy as np
import pytest
import torch
from espnet2.tts.espnet_model import ESPnetTTSModel

from espnet_distill.errors import ConfigError
from espnet_distill.objectives.registry import build_objective
from espnet_distill.tasks.distill_model import DistillTTSModel
from espnet_distill.teachers.online import OnlineTeacher
from espnet_distill.teachers.to_student import normalize_like

from ..conftest import (
    CONFORMER,
    FASTSPEECH,
    PRODIFF,
    STEADY_FASTSPEECH2,
    TACOTRON2,
    TRANSFORMER,
    WIDE_FASTSPEECH2,
    WIDE_TACOTRON2,
    global_mvn,
    load_stock,
    make_experiment,
    random_batch,
    write_stats,
)

MEL = {"type": "mel", "weight": 2.0}
ENCODER = {"type": "hidden", "tap": "encoder", "weight": 0.5}
DECODER = {"type": "hidden", "tap": "decoder", "weight": 0.25}
VARIANCES = [{"type": name} for name in ("duration", "pitch", "energy")]
DECISIONS = [{"type": "stop"}, {"type": "attention"}]
RELATION = {"type": "relation", "tap": "encoder"}
ALL = [MEL, ENCODER, DECODER, *VARIANCES]
SETTINGS = {
    "small": {},
    "wide": {"tts_conf": WIDE_FASTSPEECH2},
    "conformer": {"tts_conf": CONFORMER},
    "small_tacotron2": {"tts": "tacotron2", "tts_conf": TACOTRON2},
    "wide_tacotron2": {"tts": "tacotron2", "tts_conf": WIDE_TACOTRON2},
    "small_transformer": {"tts": "transformer", "tts_conf": TRANSFORMER},
    "wide_transformer": {
        "tts": "transformer",
        "tts_conf": {**TRANSFORMER, "adim": 16, "aheads": 4},
    },
    "two_a_step": {
        "tts": "tacotron2",
        "tts_conf": TACOTRON2 | {"reduction_factor": 2, "use_guided_attn_loss": True},
    },
    "speakers": {
        "tts_conf": WIDE_FASTSPEECH2
        | {"spks": 4, "langs": 3, "spk_embed_dim": 6, "use_gst": True}
        | {"gst_tokens": 2, "gst_heads": 2, "gst_gru_units": 8}
        | {"gst_conv_layers": 2, "gst_conv_chans_list": (4, 4)}
    },
    "fastspeech": {"tts": "fastspeech", "tts_conf": {**FASTSPEECH, "adim": 16}},
    "prodiff": {"tts": "prodiff", "tts_conf": {**PRODIFF, "adim": 16}},
    "surest": {"tts_conf": STEADY_FASTSPEECH2},
    "surest_tacotron2": {
        "tts": "tacotron2",
        "tts_conf": TACOTRON2
        | {"postnet_layers": 0, "dropout_rate": 0.0, "zoneout_rate": 0.0},
    },
}
DEEPER = ("encoder.encoders.0", "mel_after")  # a layer, and an output
PAIRS = {
    "fastspeech2": ("small", "wide", ALL),
    "conformer": (
        "small",
        "conformer",
        [*ALL, *({"type": "hidden", "tap": tap} for tap in DEEPER)],
    ),
    "tacotron2": ("small_tacotron2", "wide_tacotron2", [MEL, ENCODER, *DECISIONS]),
    "transformer": (
        "small_transformer",
        "wide_transformer",
        [MEL, ENCODER, RELATION, *DECISIONS],
    ),
    "tacotron2-fastspeech2": ("small", "wide_tacotron2", [MEL]),
    "transformer-fastspeech2": ("small", "wide_transformer", [MEL, ENCODER]),
    "transformer-tacotron2": ("small_tacotron2", "wide_transformer", DECISIONS),
    "fastspeech-fastspeech2": ("small", "fastspeech", [MEL, ENCODER, *VARIANCES[:1]]),
    "fastspeech2-tacotron2": ("two_a_step", "wide", [MEL, ENCODER, DECISIONS[1]]),
    "fastspeech2-transformer": ("small_transformer", "wide", [MEL, DECISIONS[1]]),
    "prodiff-fastspeech2": ("small", "prodiff", [MEL, ENCODER, *VARIANCES]),
}

# Parts that are trained by one objective only; mels train the rest.
ONLY_BY = {f"{name}_predictor": name for name in ("duration", "pitch", "energy")}
ONLY_BY["prob_out"] = "stop"
EITHER = ("enc", "dec")  # of Tacotron2, whose decoder decides when to stop


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The experiment of one of the SETTINGS, made once."""
    root = tmp_path_factory.mktemp("models")

    def folder(name):
        if not (root / name).exists():
            seed = list(SETTINGS).index(name)
            make_experiment(root / name, seed, **SETTINGS[name])
        return root / name

    return folder


def distill(student, teachers, confs=ALL, **options):
    """Build student, teachers and objectives from folders, as the task does."""
    teachers = list(teachers)
    torch.manual_seed(3)
    objectives = [[build_objective(conf) for conf in confs] for _ in teachers]
    taps = tuple(tap for item in objectives[0] for tap in item.targets)
    teachers = [OnlineTeacher(teacher, taps) for teacher in teachers]
    return DistillTTSModel(load_stock(student), teachers, objectives, **options)


@pytest.fixture(params=PAIRS)
def pair(request, folder):
    student, teacher, confs = PAIRS[request.param]
    return folder(student), folder(teacher), confs


def batch_for(model, **options):
    models = [model.tts, *(one.teacher.model.tts for one in model.teacher_objectives)]
    with_durations = any("FastSpeech2" in type(tts).__name__ for tts in models)
    return random_batch(with_durations=with_durations, **options)


def own_modules(model):
    """All but ReLU: ESPnet's feed-forward layers of all models share one."""
    return [item for item in model.modules() if not isinstance(item, torch.nn.ReLU)]


def values(model, batch):
    """The statistics of one batch, as numbers."""
    _, stats, _ = model(**{name: value.clone() for name, value in batch.items()})
    return {name: value.item() for name, value in stats.items()}


# What learns


def test_every_part_learns_from_the_objectives_and_the_teacher_does_not(pair):
    student, teacher, confs = pair
    model = distill(student, [teacher], confs, ground_truth_weight=0.0)
    model.train()
    loss, stats, weight = model(**batch_for(model))
    assert loss.shape == (1,) and loss.isfinite() and weight.item() == 2
    loss.backward()
    moved = {
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is not None and parameter.grad.abs().sum() > 0
    }
    types = {conf["type"] for conf in confs}
    for part, module in model.tts.named_children():
        if next(module.parameters(), None) is None:
            continue
        learns = any(name.startswith(f"tts.{part}.") for name in moved)
        assert learns == (ONLY_BY.get(part, "mel") in types or part in EITHER), part
    projections = {
        n for n, _ in model.named_parameters() if n.startswith("teacher_objectives.")
    }
    assert projections <= moved
    assert bool(projections) == ("hidden" in types)
    for parameter in model.teacher_objectives[0].teacher.model.parameters():
        assert parameter.grad is None and not parameter.requires_grad


def test_the_teacher_stays_in_eval_mode_and_as_it_was(pair):
    student, teacher, confs = pair
    model = distill(student, [teacher], confs)
    before = load_stock(teacher).state_dict()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.train()
    model(**batch_for(model))[0].backward()
    optimizer.step()
    teacher_model = model.teacher_objectives[0].teacher.model
    assert model.tts.training
    assert not any(module.training for module in own_modules(teacher_model))
    # running means of batch normalisation among them
    after = teacher_model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_only_the_student_is_saved_and_stock_espnet_loads_it(pair, tmp_path):
    student, teacher, confs = pair
    model = distill(student, [teacher], confs)
    teacher_model = model.teacher_objectives[0].teacher.model
    teacher_ids = {
        id(item) for item in (*own_modules(teacher_model), *teacher_model.parameters())
    }
    inside = (*model.modules(), *model.parameters(), *model.buffers())
    assert teacher_ids.isdisjoint(map(id, inside))
    names = [name for name, _ in model.named_parameters()]
    assert len(names) == len(set(names))

    stock = load_stock(student)
    assert isinstance(model, ESPnetTTSModel)
    assert list(model.state_dict()) == list(stock.state_dict())
    torch.nn.init.normal_(next(model.tts.parameters()))
    torch.save(model.state_dict(), tmp_path / "1epoch.pth")
    saved = torch.load(tmp_path / "1epoch.pth", weights_only=True)
    stock.load_state_dict(saved, strict=True)
    assert torch.equal(next(stock.tts.parameters()), next(model.tts.parameters()))
    other = distill(student, [teacher], confs)
    other.load_state_dict(saved, strict=True)
    with pytest.raises(RuntimeError, match="tts.stray"):
        other.load_state_dict({**saved, "tts.stray": torch.zeros(1)}, strict=True)


def test_a_distilling_student_synthesizes_as_stock_espnet(folder):
    model = distill(folder("small"), [folder("wide")]).eval()
    stock = load_stock(folder("small")).eval()
    text = torch.tensor([3, 4, 5, 6])
    with torch.no_grad():
        output = model.inference(text, use_teacher_forcing=False)
        expected = stock.inference(text, use_teacher_forcing=False)
    assert torch.equal(output["feat_gen"], expected["feat_gen"])


# What is compared


@pytest.mark.parametrize("name", ["surest", "surest_tacotron2"])
def test_a_student_equal_to_its_teacher_has_nothing_to_learn(folder, name):
    confs = ALL if name == "surest" else [MEL, ENCODER]
    model = distill(folder(name), [folder(name)], confs).eval()
    model.requires_grad_(False)  # as the teacher's; else other kernels round
    stats = values(model, batch_for(model))
    terms = {key: value for key, value in stats.items() if key.startswith("distill_")}
    assert len(terms) == len(confs)
    assert set(terms.values()) == {0.0}
    assert stats["loss"] == stats["ground_truth_loss"] > 0


def test_a_teacher_with_durations_attends_to_the_token_of_each_frame(folder):
    """Held against it, attention costs the cross-entropy with the aligner's path."""
    model = distill(folder("two_a_step"), [folder("wide")], [DECISIONS[1]]).eval()
    batch = random_batch()
    found = values(model, batch)["distill_attention"]
    attention = model.recorder.taps["attention"]
    losses = []
    for row, durations in zip(attention, batch["durations"]):
        path = torch.arange(len(durations)).repeat_interleave(durations)
        last = path[1::2]  # frames of each step of two
        losses.append(-row[torch.arange(len(last)), last].log())
    assert found == pytest.approx(torch.cat(losses).mean().item(), rel=1e-4)


STATS = {
    "student": {"feats": (1.0, 2.0), "pitch": (150.0, 40.0), "energy": (1.5, 0.5)},
    "teacher": {"feats": (-0.5, 0.7), "pitch": (120.0, 80.0), "energy": (1.0, 2.0)},
}


@pytest.fixture(scope="module")
def normalised(tmp_path_factory):
    """Student and teacher of one shape, each with its own statistics."""
    root = tmp_path_factory.mktemp("normalised")

    def write(name, measure):
        mean, deviation = STATS[name][measure]
        size = 20 if measure == "feats" else 1
        ramp = np.linspace(0, 1, size)
        path = root / f"{name}_{measure}.npz"
        return write_stats(path, mean + ramp, deviation + ramp)

    folders = []
    for seed, name in enumerate(STATS):
        files = {measure: write(name, measure) for measure in STATS[name]}
        folders.append(make_experiment(root / name, seed, **global_mvn(**files)))
    return folders


def test_mels_pitch_and_energy_are_compared_in_the_students_space(normalised):
    student, teacher = normalised
    model = distill(student, [teacher], [MEL, *VARIANCES]).eval()
    online = model.teacher_objectives[0].teacher
    batch = random_batch()
    stats = values(model, batch)
    student_taps, teacher_taps = model.recorder.taps, online.recorder.taps

    def mapped(tap, normalize):
        source, target = getattr(online.model, normalize), getattr(model, normalize)
        return (teacher_taps[tap] * source.std + source.mean - target.mean) / target.std

    def mean(error, lengths):
        rows = [row[:length].flatten() for row, length in zip(error, lengths)]
        return torch.cat(rows).mean().item()

    frames, tokens = torch.tensor([40, 25]), torch.tensor([6, 4])
    target = mapped("mel_after", "normalize")
    mel = [
        mean((student_taps[tap] - target).abs(), frames)
        for tap in ("mel_before", "mel_after")
    ]
    assert stats["distill_mel"] == pytest.approx(sum(mel), rel=1e-5)
    for tap in ("pitch", "energy"):
        error = (student_taps[tap] - mapped(tap, f"{tap}_normalize")).abs()
        assert stats[f"distill_{tap}"] == pytest.approx(mean(error, tokens), rel=1e-5)
    error = (student_taps["duration"] - teacher_taps["duration"]).abs()
    assert stats["distill_duration"] == pytest.approx(mean(error, tokens), rel=1e-5)


def test_equal_statistics_change_nothing(normalised):
    _, teacher = normalised
    model = distill(teacher, [teacher]).eval()
    online = model.teacher_objectives[0].teacher
    mapped = normalize_like(model, online(random_batch()))
    teacher_taps = online.recorder.taps
    for tap in ("mel_after", "pitch", "energy"):
        torch.testing.assert_close(mapped[tap], teacher_taps[tap], rtol=1e-5, atol=1e-5)


def test_half_precision_is_that_of_the_prediction(normalised):
    """Units of pitch are large beside its deviation: bfloat16 has steps of 1 Hz there."""
    _, teacher = normalised
    model = distill(teacher, [teacher]).eval()
    online = model.teacher_objectives[0].teacher
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mapped = normalize_like(model, online(random_batch()))
    teacher_taps = online.recorder.taps
    for tap in ("mel_after", "pitch", "energy"):
        assert teacher_taps[tap].dtype == torch.bfloat16
        target = teacher_taps[tap].float()
        torch.testing.assert_close(mapped[tap], target, rtol=1e-5, atol=1e-5)


def test_teacher_and_student_both_see_the_raw_batch(normalised):
    """GlobalMVN works in place: what one normalises the other must not see."""
    student, teacher = normalised
    batch = random_batch()
    with torch.no_grad():
        alone = OnlineTeacher(teacher, ("decoder",))
        alone(batch)
        stock = load_stock(student).eval()(**random_batch())[1]["loss"]
    model = distill(student, [teacher, teacher]).eval()
    stats = values(model, batch)
    for term in model.teacher_objectives:
        for tap in ("mel_after", "decoder", "pitch"):
            assert torch.equal(
                term.teacher.recorder.taps[tap], alone.recorder.taps[tap]
            )
    assert stats["ground_truth_loss"] == stock.item()


# What does not matter to it


def test_neither_order_nor_more_padding_changes_a_term(folder):
    model = distill(folder("small"), [folder("wide")]).eval()
    batch = random_batch(utterances=((6, 40), (4, 40), (2, 17)))
    expected = values(model, batch)
    order = torch.tensor([2, 0, 1])
    shuffled = {name: value[order] for name, value in batch.items()}
    padded = {
        name: (
            value
            if name.endswith("_lengths")
            else torch.cat([value, torch.zeros_like(value[:, :3])], dim=1)
        )
        for name, value in batch.items()
    }
    for changed in (shuffled, padded):
        found = values(model, changed)
        for key, value in expected.items():
            if key.startswith("distill_"):
                assert found[key] == pytest.approx(value, rel=1e-6, abs=1e-6)


def test_speakers_languages_and_embeddings_reach_the_teacher(folder):
    model = distill(folder("small"), [folder("speakers")]).eval()
    conditions = {
        "sids": torch.tensor([[0], [1]]),
        "lids": torch.tensor([[0], [1]]),
        "spembs": torch.arange(12.0).view(2, 6),
    }
    plain = values(model, random_batch() | conditions)
    for name, value in conditions.items():
        other = values(model, random_batch() | conditions | {name: value.flip(1) + 1})
        assert other["distill_mel"] != plain["distill_mel"], name
        assert other["ground_truth_loss"] == plain["ground_truth_loss"]


# What is reported


@pytest.mark.parametrize("training", [True, False])
def test_the_loss_is_the_weighted_sum_and_every_term_is_reported(folder, training):
    model = distill(folder("surest"), [folder("wide")], ground_truth_weight=0.3)
    model.train(training)
    stats = values(model, random_batch())
    terms = [
        (0.3, "ground_truth_loss"),
        (2.0, "distill_mel"),
        (0.5, "distill_hidden_encoder"),
        (0.25, "distill_hidden_decoder"),
        (1.0, "distill_duration"),
        (1.0, "distill_pitch"),
        (1.0, "distill_energy"),
    ]
    assert stats["loss"] == pytest.approx(sum(w * stats[key] for w, key in terms))
    stock = load_stock(folder("surest")).train(training)
    loss, own, _ = stock(**random_batch())
    assert set(stats) == set(own) | {key for _, key in terms}
    assert stats["ground_truth_loss"] == pytest.approx(loss.item())


def test_a_weight_scales_its_term_alone(folder):
    def of(weight):
        confs = [{"type": "mel", "weight": weight}, {"type": "duration"}]
        model = distill(
            folder("surest"), [folder("wide")], confs, ground_truth_weight=0.0
        )
        return values(model.eval(), random_batch())

    none, once, thrice = of(0), of(1), of(3)
    assert none["distill_mel"] == once["distill_mel"] == thrice["distill_mel"] > 0
    assert once["loss"] - none["loss"] == pytest.approx(once["distill_mel"], rel=1e-4)
    assert thrice["loss"] - none["loss"] == pytest.approx(
        3 * once["distill_mel"], rel=1e-4
    )


def test_several_teachers_are_averaged(folder):
    def of(*teachers):
        model = distill(folder("surest"), map(folder, teachers), [MEL, ENCODER]).eval()
        return model, values(model, random_batch())

    both, averaged = of("small", "surest")
    _, first = of("small")
    _, second = of("surest")
    for key in ("distill_mel", "distill_hidden_encoder"):
        assert averaged[key] == pytest.approx((first[key] + second[key]) / 2)
    wide, _ = of("wide", "wide")
    projections = [
        p for n, p in wide.named_parameters() if n.startswith("teacher_objectives.")
    ]
    assert len(projections) == 4  # each teacher has its own


# What cannot work


@pytest.mark.parametrize(
    "student, teacher, conf, words",
    [
        (
            "small",
            "wide_tacotron2",
            {"type": "duration"},
            "teacher has no tap 'duration'",
        ),
        ("small_tacotron2", "wide_tacotron2", {"type": "pitch"}, "student has no tap"),
        ("small", "wide", {"type": "hidden", "tap": "duration"}, "no sequence of vec"),
        ("small", "wide", {"type": "hidden", "tap": "encodr"}, "near: encoder"),
        ("small_tacotron2", "wide_tacotron2", DECODER, "tap 'decoder': no such module"),
        ("small", "wide", {"type": "stop"}, "the student has no tap 'stop'"),
        ("small", "wide", DECISIONS[1], "the student has no tap 'attention'"),
        ("small", "fastspeech", {"type": "pitch"}, "the teacher has no tap 'pitch'"),
    ],
)
def test_an_objective_without_its_tap_is_refused(folder, student, teacher, conf, words):
    with pytest.raises(ConfigError) as caught:
        distill(folder(student), [folder(teacher)], [conf])
    assert words in str(caught.value) and "\n" not in str(caught.value)
