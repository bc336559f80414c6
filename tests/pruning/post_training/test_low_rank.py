"""``espnet-distill prune --low-rank``: layers factorized to low rank."""

import pytest
import torch
import yaml

from espnet_distill.cli.main import main
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.structure.config_dims import count, shapes_of

from ...conftest import MEASURES, TACOTRON2, global_mvn, load_stock, make_experiment
from .test_structured import CONF, CONFORMER, LAYERS, WIDE, largest_difference, prune

CONVNEXT = {"adim": 48, "elayers": 1, "eunits": 96, "dlayers": 1, "dunits": 96}
MODELS = {
    "fastspeech2": CONF,
    "conformer": CONFORMER | WIDE | LAYERS,
    "fastspeech2_convnext": CONVNEXT,
}


def experiment(folder, name="fastspeech2", **changes):
    import espnet_distill

    espnet_distill.register()
    tts = "fastspeech2" if name == "conformer" else name
    return make_experiment(folder, tts=tts, tts_conf=MODELS[name], **changes)


@pytest.mark.parametrize("pressure", [0.2, 0.6])
@pytest.mark.parametrize("name", MODELS)
def test_so_many_parameters_less(name, pressure, tmp_path):
    folder = experiment(tmp_path / "exp", name)
    options = "--low-rank", "--pressure", pressure
    assert prune(folder, tmp_path / "out", *options) == 0
    config = yaml.safe_load((tmp_path / "out/config.yaml").read_text())
    assert config["tts"].endswith("_sized") and config["tts_conf"]["ranks"]
    whole = count(shapes_of(load_stock(folder).tts))
    model = Experiment(tmp_path / "out").model
    left = count(shapes_of(model.tts)) / whole
    assert left == pytest.approx(1 - pressure, rel=0.03)


def test_layers_of_low_rank_stay_what_they_are(tmp_path, capsys):
    folder = experiment(tmp_path / "exp")
    path = folder / "train.loss.ave.pth"
    state = torch.load(path, weights_only=True)
    for name, tensor in state.items():
        if ".feed_forward.w_" in name and tensor.dim() == 3:
            rows = tensor.movedim(1, -1).flatten(0, 1)
            left, values, right = torch.linalg.svd(rows, full_matrices=False)
            low = (left[:, :4] * values[:4] @ right[:4]).view(
                tensor.movedim(1, -1).shape
            )
            tensor.copy_(low.movedim(-1, 1))
    torch.save(state, path)
    options = "--low-rank", "--pressure", 0.3
    assert prune(folder, tmp_path / "out", *options) == 0
    assert largest_difference(capsys.readouterr().out) < 1e-4


def test_calibration_lowers_lost_output_power_and_training_goes_on(
    corpus, tmp_path, capsys
):
    from espnet_distill.tasks.text2mel import DistillTTSTask

    stats = global_mvn(**{name: corpus.stats(name) for name in MEASURES})
    folder = experiment(tmp_path / "exp", **stats)
    data = corpus.root / "train"
    out = tmp_path / "out"
    options = "--low-rank", "--pressure", 0.5
    calibration_options = "--data", data, "--durations", data / "durations"
    assert prune(folder, out, *options, *calibration_options) == 0
    percentages = capsys.readouterr().out.rpartition("lost output power ")[2].split("%")
    assert float(percentages[0]) < float(percentages[1].rpartition(" ")[2])
    training = yaml.safe_load((out / "train.yaml").read_text())
    own = yaml.safe_load(corpus.config(tmp_path / "own.yaml").read_text())
    own |= {key: training[key] for key in ("tts", "tts_conf", "init_param")}
    own |= {"optim_conf": {"lr": 0.0}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(own))
    DistillTTSTask.main(cmd=corpus.training(tmp_path / "own.yaml", tmp_path / "more"))
    begun = torch.load(out / "model.pth", weights_only=True)
    trained = torch.load(tmp_path / "more/1epoch.pth", weights_only=True)
    assert begun.keys() == trained.keys()
    assert torch.equal(
        begun["tts.encoder.encoders.0.feed_forward.w_1.0.weight"],
        trained["tts.encoder.encoders.0.feed_forward.w_1.0.weight"],
    )
    assert main(["compact", str(out), str(tmp_path / "compact")]) == 2
    assert "units of low-rank layers cannot be pruned" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options, words",
    [
        (["--pressure", 0.999], "low ranks remove at most 0."),
        (["--pressure", 0.5, "--merge"], "--low-rank: removes no units"),
    ],
)
def test_what_cannot_be(options, words, tmp_path, capsys):
    folder = experiment(tmp_path / "exp")
    capsys.readouterr()
    assert prune(folder, tmp_path / "out", "--low-rank", *options) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["exp"]


def test_a_class_without_one(tmp_path, capsys):
    folder = make_experiment(tmp_path / "exp", tts="tacotron2", tts_conf=TACOTRON2)
    capsys.readouterr()
    options = "--low-rank", "--pressure", 0.5
    assert prune(folder, tmp_path / "out", *options) == 2
    words = "low rank does not support tacotron2, only fastspeech2, fastspeech"
    assert words in capsys.readouterr().err
