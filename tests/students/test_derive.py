"""``espnet-distill derive``: an experiment that stock ESPnet loads and trains on."""

import pytest
import torch
import yaml

from espnet_distill.cli.main import main

from ..conftest import (
    FASTSPEECH2,
    PRODIFF,
    TACOTRON2,
    TRANSFORMER,
    load_stock,
    make_experiment,
)


@pytest.fixture(scope="module")
def derived(corpus, teacher, tmp_path_factory):
    root = tmp_path_factory.mktemp("derive")
    config = corpus.config(root / "student.yaml", tts_conf=FASTSPEECH2)
    arguments = [
        "derive",
        str(teacher),
        str(root / "out"),
        "--student-config",
        str(config),
    ]
    assert main(arguments) == 0
    return root / "out"


def test_stock_espnet_loads_it(derived, teacher):
    from espnet2.tasks.tts import TTSTask

    model, _ = TTSTask.build_model_from_file(derived / "config.yaml")
    state = torch.load(derived / "init.pth", weights_only=True)
    model.load_state_dict(state)  # strictly
    whole = torch.load(teacher / "train.loss.ave.pth", weights_only=True)
    assert state["tts.encoder.embed.0.weight"].size(1) == 8
    assert torch.equal(state["normalize.mean"], whole["normalize.mean"])


@pytest.mark.parametrize("task", ["stock", "distilled"])
def test_a_training_begins_with_its_weights(corpus, teacher, derived, task, tmp_path):
    from espnet2.tasks.tts import TTSTask

    from espnet_distill.tasks.text2mel import DistillTTSTask

    config = yaml.safe_load((derived / "train.yaml").read_text())
    config |= {"optim_conf": {"lr": 0.0}, "max_epoch": 1}
    if task == "distilled":
        config["teacher"] = [str(teacher)]
    path = tmp_path / "train.yaml"
    path.write_text(yaml.safe_dump(config))
    kind = TTSTask if task == "stock" else DistillTTSTask
    kind.main(cmd=corpus.training(path, tmp_path / "exp"))
    trained = torch.load(tmp_path / "exp" / "1epoch.pth", weights_only=True)
    initial = torch.load(derived / "init.pth", weights_only=True)
    for name, tensor in initial.items():
        if name.startswith("tts.") and "running" not in name and "num_b" not in name:
            assert torch.equal(trained[name], tensor), name


def test_a_pressure(tmp_path, capsys):
    from espnet_distill.experiments.experiment import Experiment
    from espnet_distill.profiling.macs import parameters

    wide = FASTSPEECH2 | {"adim": 64, "eunits": 128, "dunits": 128, "postnet_chans": 32}
    teacher = make_experiment(tmp_path / "teacher", tts_conf=wide)
    out = tmp_path / "out"
    options = "--pressure 0.3 --allocate-by macs --floor postnet_chans=8".split()
    assert main(["derive", str(teacher), str(out), *options]) == 0
    printed = capsys.readouterr().out
    assert "| parameters" in printed and "RTF, one thread" in printed
    whole = load_stock(teacher)
    student = Experiment(out / "init.pth").model
    left = parameters(student.tts) / parameters(whole.tts)
    assert left == pytest.approx(0.7, rel=0.03)
    training = yaml.safe_load((out / "train.yaml").read_text())
    assert training["init_param"] == [f"{out}/init.pth:tts:tts"]
    assert "token_list" not in training and training["optim"] == "adadelta"


def refuse(capsys, words, *arguments):
    capsys.readouterr()
    assert main(["derive", *map(str, arguments)]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_an_output_that_exists(teacher, derived, capsys):
    config = derived / "train.yaml"
    refuse(capsys, f"{derived} exists", teacher, derived, "--student-config", config)


def test_another_class(corpus, teacher, tmp_path, capsys):
    config = corpus.config(tmp_path / "t.yaml", "tacotron2", TACOTRON2)
    words = "tts: tacotron2; the teacher is fastspeech2"
    refuse(capsys, words, teacher, tmp_path / "out", "--student-config", config)


def test_a_teacher_that_is_not_supported(tmp_path, capsys):
    folder = make_experiment(tmp_path / "prodiff", tts="prodiff", tts_conf=PRODIFF)
    words = "derive does not support ProDiff, only FastSpeech2, FastSpeech"
    refuse(capsys, words, folder, tmp_path / "out", "--pressure", 0.5)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "tts, conf, slim, whole",
    [
        (
            "tacotron2",
            TACOTRON2 | {"eunits": 32},
            {"eunits": 16, "dunits": 8},
            "tts.dec.lstm.0.cell.weight_ih",
        ),
        (
            "transformer",
            TRANSFORMER | {"adim": 16},
            {"adim": 8, "dlayers": 1},
            "tts.feat_out.weight",
        ),
    ],
)
def test_autoregressive_teachers(tmp_path, capsys, tts, conf, slim, whole):
    from espnet_distill.experiments.experiment import Experiment

    teacher = make_experiment(tmp_path / "teacher", tts=tts, tts_conf=conf)
    config = tmp_path / "slim.yaml"
    config.write_text(yaml.safe_dump({"tts": tts, "tts_conf": conf | slim}))
    arguments = [str(teacher), str(tmp_path / "out"), "--student-config", str(config)]
    assert main(["derive", *arguments]) == 0
    assert "Not the teacher's" not in capsys.readouterr().out
    student = Experiment(tmp_path / "out" / "init.pth").model
    values = set(load_stock(teacher).state_dict()[whole].flatten().tolist())
    cut = student.state_dict()[whole]
    assert 0 < cut.numel() < len(values) and values.issuperset(cut.flatten().tolist())


@pytest.mark.parametrize("importance", ["wanda", "taylor"])
def test_importance_from_data(corpus, teacher, tmp_path, importance):
    data = corpus.root / "train"
    options = f"--importance {importance} --data {data} --durations {data}/durations"
    slim = FASTSPEECH2 | {"eunits": 8}
    config = corpus.config(tmp_path / "student.yaml", tts_conf=slim)
    wanted = str(tmp_path / "out"), str(tmp_path / "plain")
    arguments = [str(teacher), wanted[0], "--student-config", str(config)]
    assert main(["derive", *arguments, *options.split()]) == 0
    arguments[1] = wanted[1]
    assert main(["derive", *arguments]) == 0
    ours, plain = (torch.load(f"{out}/init.pth", weights_only=True) for out in wanted)
    name = "tts.encoder.encoders.0.feed_forward.w_1.weight"
    assert ours[name].shape == plain[name].shape
    assert not torch.equal(ours[name], plain[name])


def test_a_speed_that_any_shape_has(teacher, tmp_path):
    out = tmp_path / "out"
    assert main(["derive", str(teacher), str(out), "--budget-rtf", "1000"]) == 0
    ours, whole = (
        yaml.safe_load((folder / "config.yaml").read_text())["tts_conf"]
        for folder in (out, teacher)
    )
    assert ours == whole


@pytest.mark.parametrize(
    "options, words",
    [
        (["--pressure", 1], "--pressure: 1.0 is not from 0 to below 1"),
        (["--pressure", -0.1], "--pressure: -0.1 is not from 0 to below 1"),
        (["--budget-params", 0], "--budget-params: 0 is not above 0"),
        (["--budget-rtf", 0], "--budget-rtf: 0.0 is not above 0"),
        (["--budget-rtf", 1e-9], "is so fast here; the nearest takes"),
        (["--pressure", 0.5, "--importance", "taylor"], "taylor: requires --data"),
        (["--pressure", 0.5, "--floor", "adim=9999"], "of at least adim=9999"),
        (["--pressure", 0.5, "--floor", "depth=1"], "depth: is no size of this class"),
        (["--budget-params", 10], "no shape has 10 parameters; the nearest has"),
        (
            ["--pressure", 0.5, "--keep", "dim"],
            "dim: is no size of this class; there are adim",
        ),
    ],
)
def test_sizes_that_cannot_be(teacher, tmp_path, capsys, options, words):
    refuse(capsys, words, teacher, tmp_path / "out", *options)
    assert not list(tmp_path.iterdir())


def test_a_wider_student_leaves_nothing(corpus, teacher, tmp_path, capsys):
    wider = FASTSPEECH2 | {"adim": 16, "eunits": 99}
    config = corpus.config(tmp_path / "wide.yaml", tts_conf=wider)
    words = "99 units in the student, 16 in its teacher"
    refuse(capsys, words, teacher, tmp_path / "out", "--student-config", config)
    assert [path.name for path in tmp_path.iterdir()] == ["wide.yaml"]
