"""Whole runs of ESPnet's trainer, with a teacher and without, against stock ESPnet."""

import json
import os
import shutil

import numpy as np
import pytest
import torch
import yaml
from espnet2.tasks import tts as stock_module

from espnet_distill import register
from espnet_distill.errors import ConfigError
from espnet_distill.tasks.text2mel import DistillTTSTask
from espnet_distill.utils.checksums import checksum

from ..conftest import (
    MEASURES,
    TACOTRON2,
    assert_equal,
    files,
    load,
    load_stock,
    run_python,
)

OBJECTIVES = [
    {"type": "mel", "weight": 2.0},
    {"type": "hidden", "tap": "encoder", "weight": 0.5},
    {"type": "hidden", "tap": "decoder", "weight": 0.5},
    {"type": "duration"},
    {"type": "pitch"},
]
LABELS = ["mel", "hidden_encoder", "hidden_decoder", "duration", "pitch"]
MODELS = {
    "fastspeech2": {},
    "tacotron2": {"tts": "tacotron2", "tts_conf": TACOTRON2},
}

STOCK_TRAINING = """
import json, sys
from espnet2.bin.tts_train import main
for command in json.load(sys.stdin):
    main(command)
assert not any(name.startswith("espnet_distill") for name in sys.modules)
"""


def assert_same_run(run, stock):
    """Compare weights, optimizer and scheduler of two experiments."""
    for name in ("1epoch.pth", "2epoch.pth", "train.loss.ave_2best.pth"):
        assert_equal(load(run / name), load(stock / name), name)
    run, stock = load(run / "checkpoint.pth"), load(stock / "checkpoint.pth")
    for name in ("model", "optimizers", "schedulers"):
        assert_equal(run[name], stock[name], name)


def distilling(corpus, path, teacher, objectives=OBJECTIVES, **changes):
    conf = {"ground_truth_weight": 0.5, "objectives": objectives}
    changes = {"teacher": [str(teacher)], "distill_conf": conf} | changes
    return corpus.config(path, **changes)


# Without a teacher


@pytest.fixture(scope="module")
def stock_runs(corpus, tmp_path_factory):
    """The folder in which a process that has no plugin has trained the MODELS."""
    root = tmp_path_factory.mktemp("stock")
    commands = []
    for name, model in MODELS.items():
        config = corpus.config(root / f"{name}.yaml", **model)
        commands.append(corpus.training(config, root / name, name == "fastspeech2"))
    done = run_python("-c", STOCK_TRAINING, input=json.dumps(commands))
    assert done.returncode == 0, done.stderr
    return root


@pytest.mark.parametrize("name", MODELS)
def test_without_a_teacher_the_run_is_the_stock_run(corpus, stock_runs, name, tmp_path):
    config = stock_runs / f"{name}.yaml"
    command = corpus.training(config, tmp_path / name, name == "fastspeech2")
    DistillTTSTask.main(cmd=command)
    assert files(tmp_path / name) == files(stock_runs / name)
    assert_same_run(tmp_path / name, stock_runs / name)
    run, stock = (
        yaml.safe_load((root / name / "config.yaml").read_text())
        for root in (tmp_path, stock_runs)
    )
    assert list(run) == list(stock)
    assert run | {"output_dir": None} == stock | {"output_dir": None}


def test_data_that_the_model_does_not_read_are_left_out(corpus, stock_runs, tmp_path):
    """A recipe made for FastSpeech2 gives durations to Tacotron2, too."""
    config = stock_runs / "tacotron2.yaml"
    DistillTTSTask.main(cmd=corpus.training(config, tmp_path / "exp", durations=True))
    assert_same_run(tmp_path / "exp", stock_runs / "tacotron2")


# With one


@pytest.fixture(scope="module")
def distilled(corpus, teacher, tmp_path_factory):
    """The experiment of a student after two epochs."""
    folder = tmp_path_factory.mktemp("distilled") / "student"
    config = distilling(corpus, folder.with_suffix(".yaml"), teacher)
    DistillTTSTask.main(cmd=corpus.training(config, folder))
    return folder


def test_the_experiment_is_a_stock_one_with_a_record_beside_it(
    distilled, stock_runs, teacher
):
    assert files(distilled) == sorted(
        [*files(stock_runs / "fastspeech2"), "distill.yaml"]
    )
    config, stock = (
        yaml.safe_load((folder / "config.yaml").read_text())
        for folder in (distilled, stock_runs / "fastspeech2")
    )
    assert list(config) == list(stock)
    record = yaml.safe_load((distilled / "distill.yaml").read_text())
    paths = {
        "config": teacher / "config.yaml",
        "model": teacher / "train.loss.ave.pth",
    }
    checksums = {f"{kind}_sha256": checksum(path) for kind, path in paths.items()}
    paths = {kind: str(path) for kind, path in paths.items()}
    assert record["teacher"] == [paths | checksums]
    assert record["distill_conf"] == {
        "ground_truth_weight": 0.5,
        "temperature": 1.0,
        "fusion": "mean",
        "objectives": OBJECTIVES,
    }


def test_what_is_saved_is_the_student_alone(distilled, stock_runs):
    keys = list(load(stock_runs / "fastspeech2" / "2epoch.pth"))
    for name in ("1epoch.pth", "2epoch.pth", "train.loss.ave.pth"):
        assert list(load(distilled / name)) == keys
    checkpoint = load(distilled / "checkpoint.pth")
    assert list(checkpoint["model"]) == keys
    model = load_stock(distilled)  # builds by the stock configuration
    model.load_state_dict(load(distilled / "train.loss.ave.pth"), strict=True)


def test_the_teacher_changes_the_weights(distilled, stock_runs):
    run, stock = (
        load(folder / "2epoch.pth")
        for folder in (distilled, stock_runs / "fastspeech2")
    )
    assert not torch.equal(run["tts.feat_out.weight"], stock["tts.feat_out.weight"])


def test_every_term_is_a_statistic_from_the_first_epoch(distilled):
    stats = load(distilled / "checkpoint.pth")["reporter"]["stats"]
    for epoch in (1, 2):
        for phase in ("train", "valid"):
            found = stats[epoch][phase]
            terms = {f"distill_{label}" for label in LABELS}
            assert terms | {"ground_truth_loss", "loss", "l1_loss"} <= set(found)
            assert all(np.isfinite(found[term]) for term in terms)


def test_projections_train_but_only_the_optimizer_keeps_them(distilled):
    (optimizer,) = load(distilled / "checkpoint.pth")["optimizers"]
    kept = {
        name: value
        for name, value in optimizer["espnet_distill"].items()
        if isinstance(value, torch.Tensor)
    }
    assert sorted(kept) == [
        f"0.objectives.{index}.projection.{name}"
        for index in (1, 2)
        for name in ("bias", "weight")
    ]
    student = load_stock(distilled)
    trained = sum(1 for _ in student.parameters()) + len(kept)
    assert len(optimizer["param_groups"][0]["params"]) == trained
    assert len(optimizer["state"]) == trained


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_resumed_run_ends_where_one_that_was_not_stopped_does(
    corpus, teacher, distilled, num_workers, tmp_path
):
    config = distilling(
        corpus, tmp_path / "train.yaml", teacher, num_workers=num_workers
    )
    command = corpus.training(config, tmp_path / "exp")
    DistillTTSTask.main(cmd=[*command, "--max_epoch", "1"])
    assert not (tmp_path / "exp" / "2epoch.pth").exists()
    DistillTTSTask.main(cmd=[*command, "--resume", "true"])
    assert_same_run(tmp_path / "exp", distilled)
    assert set(files(distilled)) <= set(files(tmp_path / "exp"))


@pytest.mark.parametrize(
    "objectives",
    [OBJECTIVES[:2], OBJECTIVES[:4], [OBJECTIVES[i] for i in (0, 2, 1, 3, 4)]],
    ids=["fewer projections", "fewer terms", "another order"],
)
def test_a_run_does_not_resume_with_other_objectives(
    corpus, teacher, distilled, objectives, tmp_path
):
    shutil.copytree(distilled, tmp_path / "exp", symlinks=True)
    config = distilling(corpus, tmp_path / "train.yaml", teacher, objectives)
    command = corpus.training(config, tmp_path / "exp")
    with pytest.raises(
        ConfigError, match="^checkpoint.pth: .*other.*objectives"
    ) as caught:
        DistillTTSTask.main(cmd=[*command, "--resume", "true", "--max_epoch", "3"])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "exp" / "3epoch.pth").exists()


def test_attention_is_plotted_with_a_teacher_as_without(corpus, teacher, tmp_path):
    plotting = {"num_att_plot": 1, "use_matplotlib": True, "max_epoch": 1}
    stock = corpus.config(tmp_path / "stock.yaml", **plotting)
    student = distilling(corpus, tmp_path / "student.yaml", teacher, **plotting)
    for config in (stock, student):
        DistillTTSTask.main(cmd=corpus.training(config, config.with_suffix("")))
    plots = [files(tmp_path / name / "att_ws") for name in ("stock", "student")]
    assert plots[0] == plots[1] != []


def test_a_fastspeech2_is_distilled_from_a_tacotron2(corpus, stock_runs, tmp_path):
    config = distilling(
        corpus, tmp_path / "train.yaml", stock_runs / "tacotron2", [{"type": "mel"}]
    )
    command = corpus.training(config, tmp_path / "exp")
    DistillTTSTask.main(cmd=[*command, "--max_epoch", "1"])
    stats = load(tmp_path / "exp" / "checkpoint.pth")["reporter"]["stats"][1]
    assert stats["train"]["distill_mel"] > 0 and stats["valid"]["distill_mel"] > 0


def test_a_tacotron2_of_two_frames_a_step_is_distilled_from_a_fastspeech2(
    corpus, teacher, tmp_path
):
    student = {"tts": "tacotron2", "tts_conf": TACOTRON2 | {"reduction_factor": 2}}
    objectives = [{"type": "mel"}, {"type": "attention"}]
    config = distilling(corpus, tmp_path / "t.yaml", teacher, objectives, **student)
    command = corpus.training(config, tmp_path / "exp")
    DistillTTSTask.main(cmd=[*command, "--max_epoch", "1"])
    stats = load(tmp_path / "exp" / "checkpoint.pth")["reporter"]["stats"][1]
    for name in ("distill_mel", "distill_attention"):
        assert stats["train"][name] > 0 and stats["valid"][name] > 0
    load_stock(tmp_path / "exp")


# What leaves it


STOCK_SPEECH = """
import shutil, sys
import numpy as np
import torch
from espnet2.bin.tts_inference import Text2Speech
from espnet2.main_funcs.pack_funcs import pack, unpack

def synthesize(config, model, out):
    torch.manual_seed(0)
    mels = Text2Speech(config, model)("some words")
    names = "feat_gen", "feat_gen_denorm"
    np.savez(out, **{name: mels[name].numpy() for name in names})

config, model = "exp/config.yaml", "exp/train.loss.ave.pth"
synthesize(config, model, "plain.npz")
pack({"model_file": model}, {"train_config": config}, "packed.zip", sys.argv[1:])
shutil.rmtree("exp")
shutil.rmtree("stats")
paths = unpack("packed.zip", "unpacked")
synthesize(paths["train_config"], paths["model_file"], "unpacked.npz")
assert not any(name.startswith("espnet_distill") for name in sys.modules)
"""


def test_stock_espnet_synthesizes_bit_for_bit_packed_or_not(
    distilled, corpus, tmp_path, monkeypatch
):
    """In a recipe's folder, where paths are relative, as pack requires them."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(distilled, "exp")
    os.mkdir("stats")
    config = (distilled / "config.yaml").read_text()
    stats = []
    for measure in MEASURES:
        stats.append(f"stats/{measure}.npz")
        shutil.copy(corpus.stats(measure), stats[-1])
        config = config.replace(corpus.stats(measure), stats[-1])
    (tmp_path / "exp" / "config.yaml").write_text(config)

    from espnet2.bin import tts_inference

    monkeypatch.setattr(stock_module, "TTSTask", stock_module.TTSTask)
    monkeypatch.setattr(tts_inference, "TTSTask", tts_inference.TTSTask)
    register()
    assert tts_inference.TTSTask is DistillTTSTask
    text2speech = tts_inference.Text2Speech("exp/config.yaml", "exp/train.loss.ave.pth")
    torch.manual_seed(0)
    output = text2speech("some words")

    done = run_python("-c", STOCK_SPEECH, *stats)
    assert done.returncode == 0, done.stderr
    for name in ("plain.npz", "unpacked.npz"):
        stock = np.load(name)
        for mel in ("feat_gen", "feat_gen_denorm"):
            assert len(output[mel]) > 0
            assert np.array_equal(output[mel].numpy(), stock[mel])
