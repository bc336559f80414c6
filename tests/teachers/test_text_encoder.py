"""States of a text encoder are those of the teacher's own synthesis."""

import pytest
import torch

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.objectives.registry import build_objective
from espnet_distill.students.models.synthesizers import VITSSynthesizer
from espnet_distill.tasks.checks.compatibility import require_compatible
from espnet_distill.tasks.distill_model import DistillTTSModel
from espnet_distill.teachers.online import OnlineTeacher
from espnet_distill.teachers.piper_padding import PiperPadding
from espnet_distill.teachers.text_encoder import (
    StatesOfTokens,
    TextEncoderTeacher,
    load_teacher,
)

from ..conftest import TOKENS, load_stock, make_experiment, random_batch
from .text_to_wave_models import SEVERAL, VITS_GENERATOR, jets, joint, vits

MODELS = {"vits": vits(), "several": vits(**SEVERAL), "jets": jets(), "joint": joint()}
IDS = torch.tensor([[4, 7, 2, 9, 5, 11], [3, 8, 6, 0, 0, 0]])
LENGTHS = torch.tensor([6, 3])
BATCH = {"text": IDS, "text_lengths": LENGTHS}
OBJECTIVES = [{"type": name, "tap": "encoder"} for name in ("hidden", "relation")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The experiment of one of the MODELS, made once."""
    root = tmp_path_factory.mktemp("models")
    for seed, (name, conf) in enumerate(MODELS.items()):
        make_experiment(root / name, seed, **conf)
    make_experiment(root / "fastspeech2")
    return root.joinpath


def encoded(encoder, synthesize) -> torch.Tensor:
    """Return what a text encoder outputs (T, C) while a function runs."""
    found = []
    handle = encoder.register_forward_hook(lambda _, args, output: found.append(output))
    with torch.no_grad():
        synthesize()
    handle.remove()
    return found[0][0][0]


@pytest.mark.parametrize("name", ["vits", "several", "jets"])
def test_states_are_those_of_synthesis(folder, name):
    teacher = load_teacher(folder(name))
    states = teacher(BATCH)
    assert states["encoder"].shape[:2] == (2, 7)  # one more: the end of the sentence
    assert states.lengths["encoder"].tolist() == [6, 3]
    tts = Experiment(folder(name)).model.tts
    given = {"sids": torch.tensor([1]), "lids": torch.tensor([1])}
    given |= {"spembs": torch.ones(tts.spk_embed_dim or 1)}
    given = given if name == "several" else {}
    generator = tts.generator
    encoder = generator.encoder if name == "jets" else generator.text_encoder
    for ids, n, found in zip(IDS, LENGTHS, states["encoder"]):
        expected = encoded(encoder, lambda: tts.inference(ids[:n], **given))
        expected = expected if name == "jets" else expected.t()
        torch.testing.assert_close(found[:n], expected, rtol=1e-4, atol=1e-5)


def test_states_of_a_padded_sentence_are_those_of_its_tokens():
    """An imported voice pads its tokens, and has an end of the sentence."""
    torch.manual_seed(0)
    tts = VITSSynthesizer(
        20,
        1,
        generator_params=VITS_GENERATOR,
        text_encoder_type="windowed",
        text_encoder_params={"units": 16, "layers": 2},
        padding=[17, 18, 19],
    ).eval()
    with torch.no_grad():
        states, lengths = StatesOfTokens(tts)(IDS, LENGTHS)
    assert lengths.tolist() == [7, 4]
    padding = PiperPadding(17, 18, 19)
    for ids, n, found in zip(IDS, LENGTHS, states):
        encoder = tts.generator.text_encoder
        whole = encoded(encoder, lambda: tts.inference(ids[:n])).t()
        padded = padding.pad(ids[:n].tolist())
        own = [i for i, one in enumerate(padded) if one not in (17, 18)]
        torch.testing.assert_close(found[: n + 1], whole[own], rtol=1e-4, atol=1e-5)


def test_a_student_is_compared_without_the_end_of_its_sentence(folder):
    teacher = load_teacher(folder("vits"), ("encoder",))
    objectives = [build_objective(conf) for conf in OBJECTIVES]
    student = load_stock(folder("fastspeech2"))
    model = DistillTTSModel(student, [teacher], [objectives]).eval()
    batch = random_batch()
    _, stats, _ = model(**{name: value.clone() for name, value in batch.items()})
    states = teacher(batch)["encoder"]
    own = objectives[0].projection(model.recorder.taps["encoder"])
    errors = [
        (own - states).abs()[row, :n] for row, n in enumerate(batch["text_lengths"])
    ]
    expected = torch.cat(errors).mean().item()
    assert stats["distill_hidden_encoder"].item() == pytest.approx(expected, rel=1e-5)
    assert 0 < stats["distill_relation_encoder"].item() < 2


def test_each_term_trains_the_students_encoder(folder):
    teacher = load_teacher(folder("jets"), ("encoder",))
    for conf in OBJECTIVES:
        student = load_stock(folder("fastspeech2"))
        options = {"ground_truth_weight": 0.0}
        model = DistillTTSModel(
            student, [teacher], [[build_objective(conf)]], **options
        )
        loss, _, _ = model(**random_batch())
        loss.backward()
        moved = {
            name.split(".")[1]
            for name, parameter in model.named_parameters()
            if name.startswith("tts.") and parameter.grad is not None
            if parameter.grad.abs().sum() > 0
        }
        assert moved == {"encoder"}


def test_other_taps_are_refused(folder):
    line = "synthesizes waveforms and has no tap 'mel_after', but 'encoder', for the "
    with pytest.raises(ConfigError, match=line):
        load_teacher(folder("vits"), ("encoder", "mel_after"))
    with pytest.raises(ConfigError, match=line):
        load_teacher(folder("vits")).taps_of(("mel_after",))
    with pytest.raises(ConfigError, match="has no taps.* distill.sh --teacher"):
        load_teacher(folder("joint"))
    assert isinstance(load_teacher(folder("fastspeech2")), OnlineTeacher)
    assert isinstance(load_teacher(folder("jets")), TextEncoderTeacher)


def test_tokens_alone_are_compared(folder):
    student = Experiment(folder("fastspeech2")).config
    for name in ("vits", "jets"):
        require_compatible(student, Experiment(folder(name)).config, name)
    other = student | {"token_list": TOKENS[:-1]}
    with pytest.raises(ConfigError, match="number of tokens"):
        require_compatible(other, Experiment(folder("vits")).config, "vits")
