"""Experiments on disk and in memory: locate, load strictly, change, save, pack."""

import copy
import shutil

import numpy as np
import pytest
import torch
import yaml
from espnet2.tasks.tts import TTSTask
from espnet2.tts.espnet_model import ESPnetTTSModel

from espnet_distill import compare, derive, prune
from espnet_distill.cli import main as cli
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.locate import USUAL_NAMES, locate
from espnet_distill.experiments.weights import load_weights

from ..conftest import FASTSPEECH2, TACOTRON2, load_stock, make_experiment


@pytest.fixture
def folder(tmp_path):
    """An experiment folder with empty files."""

    def folder(*names):
        for name in ("config.yaml", *names):
            (tmp_path / name).touch()
        return tmp_path

    return folder


@pytest.mark.parametrize("first", range(len(USUAL_NAMES)))
def test_usual_checkpoint_names_are_preferred(folder, first):
    path = folder(*USUAL_NAMES[first:], "other.pth", "checkpoint.pth", "3epoch.pth")
    config, checkpoint = locate(path)
    assert (config, checkpoint) == (path / "config.yaml", path / USUAL_NAMES[first])


@pytest.mark.parametrize("name", ["pretrained.pth", "200epochs_averaged.pth"])
def test_single_checkpoint_of_any_name_is_found(folder, name):
    path = folder(name, "checkpoint.pth", "12epoch.pth")
    assert locate(str(path)) == (path / "config.yaml", path / name)


def test_checkpoint_path_with_configuration_beside_it(folder):
    path = folder("a.pth", "b.pth")
    pair = path / "config.yaml", path / "b.pth"
    assert locate(path / "b.pth") == pair
    assert locate({"config": str(pair[0]), "model": str(pair[1])}) == pair
    with pytest.raises(ConfigError, match="c.pth: no such file"):
        locate(path / "c.pth")
    with pytest.raises(ConfigError, match="teacher: expected {config: …yaml, model: "):
        locate({"config": "x"})


def test_several_checkpoints_are_refused(folder):
    path = folder("b.pth", "a.pth", "1epoch.pth")
    with pytest.raises(ConfigError) as caught:
        locate(path)
    assert str(caught.value) == (
        f"{path}: expected one checkpoint (.pth), found a.pth, b.pth; "
        "link the one to use as train.loss.ave.pth"
    )


def test_checkpoint_of_resume_is_no_model(folder):
    with pytest.raises(ConfigError, match="found none"):
        locate(folder("checkpoint.pth"))


def test_single_epoch_is_found_without_other_checkpoints(folder):
    """`pack` stores an average of one epoch, which is a link, as that epoch."""
    path = folder("12epoch.pth", "checkpoint.pth")
    assert locate(path)[1] == path / "12epoch.pth"
    with pytest.raises(ConfigError, match="found 12epoch.pth, 3epoch.pth; link"):
        locate(folder("3epoch.pth"))


def test_a_folder_without_a_configuration(tmp_path):
    with pytest.raises(ConfigError, match="no config.yaml in it"):
        locate(tmp_path)


def test_dangling_link_is_no_checkpoint(folder):
    path = folder("best.pth")
    (path / "train.loss.ave.pth").symlink_to("removed.pth")
    assert locate(path)[1] == path / "best.pth"


def test_missing_experiment_is_one_line(folder, capsys):
    path = folder("valid.loss.best.pth")
    assert Experiment(path).checkpoint == path / "valid.loss.best.pth"
    assert cli.main(["teacher-config", str(path / "nobody")]) == 2
    assert capsys.readouterr().err == (
        f"espnet-distill teacher-config: error: {path}/nobody: no such experiment "
        "folder\n"
    )


def opened(folder, checkpoint):
    return Experiment({"config": folder / "config.yaml", "model": checkpoint})


def test_a_loaded_model_has_the_weights_and_is_in_eval_mode(teacher):
    config, checkpoint = locate(teacher)
    experiment = Experiment(teacher)
    model, args = experiment.model, experiment.args
    assert isinstance(model, ESPnetTTSModel) and not model.training
    assert vars(args)["tts_conf"] == yaml.safe_load(config.read_text())["tts_conf"]
    state = torch.load(checkpoint, weights_only=True)
    assert all(
        torch.equal(state[name], value) for name, value in model.state_dict().items()
    )


def test_pickled_code_is_not_run(teacher, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    torch.save({"tts.bomb": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(ConfigError, match="bomb.pth: not a readable checkpoint"):
        opened(teacher, tmp_path / "bomb.pth").build()
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [[1, 2], {"model": {}, "optimizers": []}, 3])
def test_other_files_of_torch_are_refused(teacher, tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(ConfigError) as caught:
        opened(teacher, tmp_path / "other.pth").build()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(tmp_path, value):
    state = {"a": torch.ones(2), "b": torch.tensor([1.0, value]), "c": torch.tensor(3)}
    torch.save(state, tmp_path / "diverged.pth")
    with pytest.raises(ConfigError) as caught:
        load_weights(tmp_path / "diverged.pth")
    assert str(caught.value) == (
        f"{tmp_path}/diverged.pth: NaN or infinity in b; name a checkpoint that did "
        "not diverge"
    )


@pytest.fixture(scope="module")
def tacotron2(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old") / "tacotron2"
    return make_experiment(folder, tts="tacotron2", tts_conf=TACOTRON2)


@pytest.fixture(scope="module")
def fastspeech2(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old") / "fastspeech2"
    return make_experiment(folder, tts_conf=FASTSPEECH2)


PE = "tts.encoder.embed.1.pe"
MELMAT = "feats_extract.logmel.melmat"
POS_WEIGHT = "tts.taco2_loss.bce_criterion.pos_weight"


def altered(folder, path, without=(), extra={}, wrapper=None, prefix=""):
    """Write an experiment's checkpoint with other keys."""
    state = torch.load(folder / "train.loss.ave.pth", weights_only=True)
    assert set(without) <= set(state)
    state = {prefix + key: x for key, x in state.items() if key not in without} | extra
    torch.save({wrapper: state, "step": 3} if wrapper else state, path)
    return path


@pytest.mark.parametrize(
    "name, without, extra, message",
    [
        ("tacotron2", [POS_WEIGHT], {}, f"lacks: {POS_WEIGHT}"),
        ("fastspeech2", [], {PE: torch.ones(1, 5000, 8)}, f"is passed over: {PE}"),
        ("fastspeech2", [MELMAT], {}, f"lacks: {MELMAT}"),
    ],
)
def test_computed_tensors_may_be_missing_or_superfluous(
    request, name, without, extra, message, tmp_path, caplog
):
    folder = request.getfixturevalue(name)
    path = altered(folder, tmp_path / "old.pth", without, extra)
    model = opened(folder, path).build()
    assert f"{path}: {message}; the model computes it" in caplog.text
    expected = load_stock(folder).state_dict()
    assert all(torch.equal(expected[k], x) for k, x in model.state_dict().items())


@pytest.mark.parametrize(
    "name, without, extra, message",
    [
        ("fastspeech2", ["tts.feat_out.bias"], {}, "lacks 1 keys of the model"),
        ("fastspeech2", ["tts.postnet.postnet.0.1.running_mean"], {}, "lacks 1 keys"),
        ("fastspeech2", [], {"tts.encoder.more": torch.ones(2)}, "has unexpected 1"),
        ("fastspeech2", [], {"tts.more.pe": torch.ones(2)}, "has unexpected 1 keys"),
        ("tacotron2", ["tts.dec.feat_out.weight"], {}, "lacks 1 keys"),
    ],
)
def test_trained_tensors_must_match(request, name, without, extra, message, tmp_path):
    folder = request.getfixturevalue(name)
    path = altered(folder, tmp_path / "other.pth", without, extra)
    with pytest.raises(ConfigError, match=message):
        opened(folder, path).build()


@pytest.mark.parametrize("wrapper", ["module", "state_dict"])
def test_wrappers_of_deepspeed_and_lightning_are_removed(
    fastspeech2, wrapper, tmp_path
):
    path = altered(fastspeech2, tmp_path / "wrapped.pth", wrapper=wrapper)
    model = opened(fastspeech2, path).build()
    expected = load_stock(fastspeech2).state_dict()
    assert all(torch.equal(expected[k], x) for k, x in model.state_dict().items())


def test_key_prefix_of_dataparallel_is_refused(fastspeech2, tmp_path):
    """Stock ESPnet ignores these keys, and the weights stay random."""
    path = altered(fastspeech2, tmp_path / "parallel.pth", prefix="module.")
    with pytest.raises(ConfigError, match="begin with 'module.', which DataParallel"):
        opened(fastspeech2, path).build()


def test_configuration_of_an_older_espnet_loads(fastspeech2, tmp_path):
    """The configuration has only the keys of the model."""
    needed = ("tts", "feats_extract", "normalize", "pitch_extract", "energy_extract")
    needed = {*needed, *(f"{name}_conf" for name in (*needed, "model"))}
    conf = yaml.safe_load((fastspeech2 / "config.yaml").read_text())
    needed |= {"token_list", "odim"}
    old = {key: value for key, value in conf.items() if key in needed}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(old))
    checkpoint = fastspeech2 / "train.loss.ave.pth"
    args = opened(tmp_path, checkpoint).args
    assert not hasattr(args, "collect_stats") and not hasattr(args, "dry_run")
    (tmp_path / "model.pth").symlink_to(checkpoint)
    out = str(tmp_path / "half")
    assert cli.main(["prune", str(tmp_path / "model.pth"), out, "--pressure=0.3"]) == 0
    assert cli.main(["teacher-config", str(tmp_path)]) == 0


WIDE = FASTSPEECH2 | {"adim": 64, "eunits": 128, "dunits": 128, "elayers": 2}


@pytest.fixture
def statistics(tmp_path):
    """A teacher with statistics, in half precision."""
    path = tmp_path / "stats.npz"
    np.savez(path, count=2, sum=np.ones(20), sum_square=np.full(20, 4.0))
    changes = {"normalize": "global_mvn", "normalize_conf": {"stats_file": str(path)}}
    folder = make_experiment(tmp_path / "teacher", tts_conf=WIDE, **changes)
    checkpoint = folder / "train.loss.ave.pth"
    state = torch.load(checkpoint, weights_only=True)
    half = {k: x.half() if x.is_floating_point() else x for k, x in state.items()}
    torch.save(half, checkpoint)
    return folder


def in_memory(folder):
    """The teacher with another bias, in memory."""
    teacher = Experiment(folder)
    state = teacher.model.tts.state_dict()
    state["feat_out.bias"] = torch.full_like(state["feat_out.bias"], 1 / 3)
    return teacher.with_model("fastspeech2", teacher.config["tts_conf"], state)


def test_an_experiment_in_memory_equals_the_saved_one(statistics, tmp_path):
    made = in_memory(statistics)
    saved = made.save(tmp_path / "out")
    assert saved.checkpoint == tmp_path / "out/model.pth"
    expected = made.model.state_dict()
    stock, _ = TTSTask.build_model_from_file(saved.config_file, saved.checkpoint)
    for model in (saved.model, stock, made.build()):
        state = model.state_dict()
        assert all(torch.equal(expected[name], x) for name, x in state.items())
    assert (expected["tts.feat_out.bias"] == torch.tensor(1 / 3).half()).all()
    assert saved.weights["tts.feat_out.bias"].dtype == torch.float16
    assert len(made.checkpoint_bytes()) == saved.checkpoint.stat().st_size


def test_a_saved_experiment_needs_no_file_elsewhere(statistics, tmp_path):
    saved = in_memory(statistics).save(tmp_path / "out")
    assert saved.statistics == {"feats": tmp_path / "out/feats_stats.npz"}
    shutil.rmtree(statistics)
    (tmp_path / "stats.npz").unlink()
    saved.build()
    training = yaml.safe_load((tmp_path / "out/train.yaml").read_text())
    assert training["init_param"] == [f"{tmp_path}/out/model.pth:tts:tts"]


def test_a_packed_experiment_loads_in_stock_espnet(statistics, tmp_path):
    made = in_memory(statistics)
    archive = made.pack(tmp_path / "packed.zip")
    config, model = unpack_stock(archive, tmp_path / "stock")
    expected = made.model.state_dict()
    for found in (
        TTSTask.build_model_from_file(config, model)[0],
        Experiment(archive).model,
    ):
        state = found.state_dict()
        assert all(torch.equal(expected[name], x) for name, x in state.items())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("packed.zip", "stats.npz", "stock", "teacher"),
    ]


def unpack_stock(archive, out):
    from espnet2.main_funcs.pack_funcs import unpack

    files = unpack(archive, out)
    return files["train_config"], files["model_file"]


def test_names_of_archives_and_folders_that_cannot_be(statistics, tmp_path):
    made = in_memory(statistics)
    with pytest.raises(ConfigError, match="packed: is no packed model's name"):
        made.pack(tmp_path / "packed")
    with pytest.raises(ConfigError, match="exists: name a new folder"):
        made.save(statistics)


def test_an_experiment_in_memory_has_no_files(statistics):
    made = in_memory(statistics)
    for name in ("checkpoint", "config_file", "identity"):
        with pytest.raises(ConfigError, match="is in memory; save it to a folder fir"):
            getattr(made, name)


def test_a_state_that_does_not_fit_is_refused(statistics):
    teacher = Experiment(statistics)
    state = teacher.model.tts.state_dict()
    del state["feat_out.bias"]
    with pytest.raises(RuntimeError, match="feat_out.bias"):
        teacher.with_model("fastspeech2", teacher.config["tts_conf"], state)


def test_a_clone_is_changed_without_its_original(statistics):
    teacher = Experiment(statistics)
    before = copy.deepcopy(teacher.model.state_dict())
    for other in (teacher.clone().model, teacher.build()):
        with torch.no_grad():
            other.tts.feat_out.bias.fill_(7)
    state = teacher.model.state_dict()
    assert all(torch.equal(before[name], x) for name, x in state.items())


def test_pruning_leaves_the_model_of_its_caller(statistics):
    teacher = Experiment(statistics)
    before = copy.deepcopy(teacher.model.state_dict())
    half = prune(teacher, pressure=0.4)
    derive(teacher, pressure=0.4)
    assert half.origin is teacher and half.notes
    state = teacher.model.state_dict()
    assert state.keys() == before.keys()
    assert all(torch.equal(before[name], x) for name, x in state.items())


def test_an_origin_is_not_on_disk(statistics):
    with pytest.raises(ConfigError, match="was opened from disk, where its origin"):
        compare(Experiment(statistics))


def test_identity_is_of_the_content(statistics):
    before = Experiment(statistics).identity
    assert Experiment(statistics / "train.loss.ave.pth").identity == before
    with (statistics / "config.yaml").open("a") as file:
        file.write("# another\n")
    after = Experiment(statistics).identity
    assert after["checkpoint"] == before["checkpoint"]
    assert after["config"] != before["config"]


def test_the_checkpoint_is_read_once(statistics, monkeypatch):
    read = []
    load = torch.load
    monkeypatch.setattr(torch, "load", lambda *a, **k: read.append(a) or load(*a, **k))
    teacher = Experiment(statistics)
    compare(prune(teacher, pressure=0.4))
    assert len(read) == 2  # by this package's reader and by ESPnet's
