"""Teacher-forced errors equal the losses of ESPnet's validation."""

import json

import numpy as np
import pytest
import torch
from omniio.kaldi import WriteHelper

from espnet_distill.data.utterances import batches_of_one, durations_of, read_data
from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics.teacher_forced import forced_errors
from espnet_distill.teachers.online import OnlineTeacher
from espnet_distill.utils.files import read_durations

from ..conftest import HOP, PRODIFF, make_experiment
from .conftest import ARCHITECTURE, TEXTS
from .test_evaluate import evaluate


@pytest.fixture
def durations(recipe):
    """Frames a token of each sentence, as long as its recording of 0.8 s."""
    frames = 1 + round(0.8 * 16000) // HOP
    lines = []
    for utt, text in TEXTS.items():
        counts = [frames // (len(text) + 1)] * (len(text) + 1)
        counts[0] += frames - sum(counts)
        lines.append(f"{utt} {' '.join(map(str, counts))}\n")
    path = recipe / "durations"
    path.write_text("".join(lines))
    return path


def test_teacher_forced_errors_match_stock_espnet(recipe, systems, durations):
    import soundfile

    system, data = systems["student"], recipe / "data" / "eval"
    utterances = read_data(data)
    tables = read_durations(durations, utterances)
    found = forced_errors(system, utterances, tables, data, "student")
    for utt, utterance in utterances.items():
        ids = system.preprocess_fn(utt, {"text": utterance.text})["text"]
        speech, _ = soundfile.read(utterance.reference, dtype="float32")
        batch = {
            "text": torch.as_tensor(ids)[None],
            "speech": torch.from_numpy(speech)[None],
            "durations": torch.tensor(tables[utt])[None],
        }
        lengths = {f"{k}_lengths": torch.tensor([t.size(1)]) for k, t in batch.items()}
        with torch.no_grad():
            _, stats, _ = system.model(**batch, **lengths)
        assert found[utt].mel == pytest.approx(stats["l1_loss"].item(), rel=1e-5)
        predicted = system(ids)["duration"]
        missed = (predicted - batch["durations"][0]).abs().float().mean()
        assert found[utt].duration == pytest.approx(1000 * HOP / 16000 * missed.item())


def test_the_mel_of_a_prodiff_is_sampled_from_noise(recipe, durations, tmp_path):
    """ESPnet's forward pass denoises the recording, which the error is to."""
    from espnet2.bin.tts_inference import Text2Speech

    folder = make_experiment(tmp_path / "prodiff", tts="prodiff", tts_conf=PRODIFF)
    system = Text2Speech(folder / "config.yaml", folder / "train.loss.ave.pth")
    data = recipe / "data" / "eval"
    utterance = {"utt_a": read_data(data)["utt_a"]}
    tables = read_durations(durations, utterance)
    args = system.model, system.preprocess_fn, utterance, tables, data
    ((_, batch),) = batches_of_one(*args)
    teacher = OnlineTeacher(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        mel = teacher(batch)["mel_after"]
    expected = (mel - teacher.recorder.truth).abs().mean().item()
    for _ in range(2):
        found = forced_errors(system, utterance, tables, data, "student")["utt_a"]
        assert found.mel == pytest.approx(expected, rel=1e-5)


def test_a_duration_is_of_steps_of_several_frames(recipe, durations, tmp_path):
    from espnet2.bin.tts_inference import Text2Speech

    conf = ARCHITECTURE | {"reduction_factor": 2}
    folder = make_experiment(tmp_path / "two_a_step", tts_conf=conf)
    system = Text2Speech(folder / "config.yaml", folder / "train.loss.ave.pth")
    data = recipe / "data" / "eval"
    utterance = {"utt_a": read_data(data)["utt_a"]}
    steps = (1 + round(0.8 * 16000) // HOP) // 2
    tables = {"utt_a": [steps, 0, 0, 0]}
    found = forced_errors(system, utterance, tables, data, "student")["utt_a"]
    ids = system.preprocess_fn("utt_a", {"text": TEXTS["utt_a"]})["text"]
    missed = (system(ids)["duration"] - torch.tensor(tables["utt_a"])).abs().float()
    milliseconds = 1000 * 2 * HOP / 16000
    assert found.duration == pytest.approx(milliseconds * missed.mean().item())


def test_teacher_forced_errors_are_in_the_table(recipe, durations):
    evaluate(recipe, "--durations", str(durations))
    rows = json.loads((recipe / "out" / "table.json").read_text())["rows"]
    reference, teacher, student = rows
    assert reference["mel_error"] is None
    for row in (teacher, student):
        assert row["mel_error"] > 0.1 and row["duration_error"] > 1


def test_speaker_embeddings_are_those_of_the_dump(recipe, durations, tmp_path):
    from espnet2.bin.tts_inference import Text2Speech

    folder = make_experiment(
        tmp_path / "speakers", tts_conf=ARCHITECTURE | {"spk_embed_dim": 4}
    )
    system = Text2Speech(folder / "config.yaml", folder / "train.loss.ave.pth")
    data = recipe / "data" / "eval"
    utterances = read_data(data)
    tables = read_durations(durations, utterances)
    assert forced_errors(system, utterances, tables, data, "student") == {}
    out = recipe / "xvector/eval"
    out.mkdir(parents=True)
    errors = []
    for seed in (1, 2):
        rng = np.random.default_rng(seed)
        place = f"ark,scp:{out}/xvector.ark,{out}/xvector.scp"
        with WriteHelper(place) as writer:
            for utt in utterances:
                writer[utt] = 10 * rng.standard_normal(4).astype(np.float32)
        errors.append(forced_errors(system, utterances, tables, data, "student"))
    assert errors[0].keys() == utterances.keys()
    assert all(errors[0][utt].mel != errors[1][utt].mel for utt in utterances)


def test_durations_of_another_text(recipe, systems, durations):
    data = recipe / "data" / "eval"
    tables = {utt: [3, 4] for utt in TEXTS}
    with pytest.raises(ConfigError, match="2 values for the 3 tokens"):
        forced_errors(systems["student"], read_data(data), tables, data, "student")


def test_utterances_without_durations_have_no_errors(
    recipe, systems, durations, caplog
):
    lines = durations.read_text().splitlines(keepends=True)
    durations.write_text("".join(lines[:2]))
    data = recipe / "data" / "eval"
    known = durations_of(durations, read_data(data))
    assert f"{durations}: 1 of 3 utterances have no durations" in caplog.messages
    utterances = {utt: read_data(data)[utt] for utt in known}
    found = forced_errors(systems["student"], utterances, known, data, "student")
    assert list(found) == ["utt_a", "utt_b"]
    durations.write_text("other 1 2\n")
    with pytest.raises(ConfigError, match="no durations for utt_a, utt_b, utt_c"):
        durations_of(durations, read_data(data))


@pytest.mark.parametrize(
    "line, words",
    [
        ("utt_a 1 x", "utt_a: 'x' is no number of frames"),
        ("utt_a 1", "no durations for utt_b, utt_c"),
    ],
)
def test_a_file_that_is_no_durations(tmp_path, line, words):
    path = tmp_path / "durations"
    utterances = ["utt_a"] if "x" in line else TEXTS
    path.write_text(f"{line}\n")
    with pytest.raises(ConfigError, match=words):
        read_durations(path, utterances)
