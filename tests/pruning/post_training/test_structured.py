"""``espnet-distill prune``: so many parameters less, in a stock experiment."""

import pytest
import torch
import yaml

from espnet_distill.cli.main import main
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.structure.config_dims import count, shapes_of

from ...conftest import (
    CONFORMER,
    FASTSPEECH,
    FASTSPEECH2,
    MEASURES,
    PRODIFF,
    TACOTRON2,
    TRANSFORMER,
    global_mvn,
    load_stock,
    make_experiment,
)

WIDE = {"adim": 48, "eunits": 192, "dunits": 192, "postnet_chans": 64}
LAYERS = {"elayers": 2, "dlayers": 2, "postnet_layers": 3}
CONF = FASTSPEECH2 | WIDE | LAYERS
MODELS = {
    "fastspeech2": ("fastspeech2", CONF),
    "conformer": ("fastspeech2", CONFORMER | WIDE | LAYERS),
    "fastspeech": ("fastspeech", FASTSPEECH | WIDE | LAYERS),
    "tacotron2": ("tacotron2", TACOTRON2 | {"dunits": 64, "eunits": 48}),
    "transformer": ("transformer", TRANSFORMER | WIDE | {"postnet_layers": 3}),
}


def largest_difference(printed):
    return float(printed.partition("of the outputs, on ")[2].split(": ")[1].split()[0])


def prune(folder, out, *options):
    return main(["prune", str(folder), str(out), *map(str, options)])


@pytest.mark.parametrize(
    "name, pressure",
    [
        ("fastspeech2", 0.3),
        ("fastspeech2", 0.8),
        ("conformer", 0.8),
        ("fastspeech", 0.5),
        ("tacotron2", 0.5),
        ("transformer", 0.5),
    ],
)
def test_so_many_parameters_less(name, pressure, tmp_path):
    tts, conf = MODELS[name]
    folder = make_experiment(tmp_path / "exp", tts=tts, tts_conf=conf)
    assert prune(folder, tmp_path / "out", "--pressure", pressure) == 0
    config = yaml.safe_load((tmp_path / "out/config.yaml").read_text())
    assert config["tts"] == tts
    whole = count(shapes_of(load_stock(folder).tts))
    model = Experiment(tmp_path / "out").model
    left = count(shapes_of(model.tts)) / whole
    assert left == pytest.approx(1 - pressure, rel=0.03)
    layers = {key: n for key, n in conf.items() if key.endswith("layers")}
    assert layers.items() <= config["tts_conf"].items()
    training = yaml.safe_load((tmp_path / "out/train.yaml").read_text())
    assert training["init_param"] == [f"{tmp_path}/out/model.pth:tts:tts"]


def test_residual_width_stays_as_long_as_it_can(tmp_path):
    folder = make_experiment(tmp_path / "exp", tts_conf=CONF)
    for pressure, stays in ((0.4, True), (0.9, False)):
        out = tmp_path / str(pressure)
        assert prune(folder, out, "--pressure", pressure) == 0
        conf = yaml.safe_load((out / "config.yaml").read_text())["tts_conf"]
        assert (conf["adim"] == 48) == stays


def test_widths_by_latency_come_to_as_many_parameters(tmp_path, capsys):
    folder = make_experiment(tmp_path / "exp", tts_conf=CONF)
    options = "--pressure 0.5 --allocate-by latency".split()
    assert prune(folder, tmp_path / "out", *options) == 0
    whole = count(shapes_of(load_stock(folder).tts))
    model = Experiment(tmp_path / "out").model
    assert count(shapes_of(model.tts)) / whole == pytest.approx(0.5, rel=0.03)
    assert "Widths: eunits 192 → " in capsys.readouterr().out


def test_the_largest_units_stay(tmp_path):
    folder = make_experiment(tmp_path / "exp", tts_conf=CONF)
    path, name = folder / "train.loss.ave.pth", "tts.encoder.encoders.0.feed_forward"
    state = torch.load(path, weights_only=True)
    state[f"{name}.w_1.weight"][:50] *= 100
    torch.save(state, path)
    assert prune(folder, tmp_path / "out", "--pressure", 0.3) == 0
    pruned = torch.load(tmp_path / "out/model.pth", weights_only=True)
    kept = pruned[f"{name}.w_1.weight"]
    assert len(kept) < 192 and torch.equal(kept[:50], state[f"{name}.w_1.weight"][:50])


@pytest.mark.parametrize("by", ["weights", "data"])
def test_merging_reports_its_error(by, corpus, tmp_path, capsys):
    stats = global_mvn(**{name: corpus.stats(name) for name in MEASURES})
    folder = make_experiment(tmp_path / "exp", tts_conf=CONF, **stats)
    data = corpus.root / "train"
    known = ["--data", data, "--durations", data / "durations"]
    options = known if by == "data" else []
    differences = []
    for merging in ([], ["--merge"]):
        out = tmp_path / f"out{len(merging)}"
        assert prune(folder, out, "--pressure", 0.4, *options, *merging) == 0
        printed = capsys.readouterr().out
        differences.append(largest_difference(printed))
    how = {"weights": "neuron merging", "data": "least squares"}[by]
    assert f"merged by {how}: mean error at their readers" in printed
    if by == "data":
        assert "on 4 sentences" in printed
        assert differences[1] < differences[0]


@pytest.mark.parametrize(
    "pressure, words",
    [
        (0, "--pressure: 0.0 is not above 0 and below 1"),
        (1, "--pressure: 1.0 is not above 0 and below 1"),
        (0.999, "at most"),
    ],
)
def test_pressures_that_cannot_be(pressure, words, tmp_path, capsys):
    folder = make_experiment(tmp_path / "exp", tts_conf=CONF)
    capsys.readouterr()
    assert prune(folder, tmp_path / "out", "--pressure", pressure) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["exp"]


def test_a_class_that_is_not_supported(tmp_path, capsys):
    folder = make_experiment(tmp_path / "exp", tts="prodiff", tts_conf=PRODIFF)
    capsys.readouterr()
    assert prune(folder, tmp_path / "out", "--pressure", 0.5) == 2
    words = "pruning of units does not support ProDiff, only FastSpeech2, FastSpeech"
    assert words in capsys.readouterr().err


def test_a_model_of_features_that_come_with_the_data(tmp_path, capsys):
    """It has no extractor, so there is no real-time factor and no data can be read."""
    folder = make_experiment(tmp_path / "exp", tts_conf=CONF, odim=20)
    assert prune(folder, tmp_path / "half", "--pressure", 0.5) == 0
    printed = capsys.readouterr().out
    assert "ms a frame, one thread" in printed and "RTF" not in printed
    training = yaml.safe_load((tmp_path / "half/train.yaml").read_text())
    assert training["odim"] == 20 and "feats_extract" not in training
    half = Experiment(tmp_path / "half").model
    assert half.feats_extract is None
    derive = ["derive", str(folder), str(tmp_path / "student")]
    assert main([*derive, "--pressure", "0.5"]) == 0
    printed = capsys.readouterr().out
    assert "MMAC a frame" in printed and "RTF" not in printed
    refusals = {
        "--budget-rtf": ["derive", str(folder), "new", "--budget-rtf", "0.01"],
        "--data": ["prune", str(folder), "new", "--pressure=0.5", "--data", "x"],
    }
    for option, command in refusals.items():
        assert main(command) == 2
        (line,) = capsys.readouterr().err.splitlines()[-1:]
        assert f"error: {option}: " in line and "odim" in line
