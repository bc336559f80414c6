"""Which checkpoint an experiment folder stands for, and how it is loaded."""

import pytest
import torch
import yaml
from espnet2.tts.espnet_model import ESPnetTTSModel

from espnet_distill import cli
from espnet_distill.errors import ConfigError
from espnet_distill.teachers.checkpoint import (
    USUAL_NAMES,
    find_experiment,
    load_experiment,
)


@pytest.fixture
def folder(tmp_path):
    """An experiment folder by its names alone."""

    def folder(*names):
        for name in ("config.yaml", *names):
            (tmp_path / name).touch()
        return tmp_path

    return folder


@pytest.mark.parametrize("first", range(len(USUAL_NAMES)))
def test_usual_names_go_before_any_other(folder, first):
    path = folder(*USUAL_NAMES[first:], "other.pth", "checkpoint.pth", "3epoch.pth")
    config, checkpoint = find_experiment(path)
    assert (config, checkpoint) == (path / "config.yaml", path / USUAL_NAMES[first])


@pytest.mark.parametrize("name", ["pretrained.pth", "200epochs_averaged.pth"])
def test_a_single_checkpoint_of_any_name_serves(folder, name):
    path = folder(name, "checkpoint.pth", "12epoch.pth")
    assert find_experiment(str(path)) == (path / "config.yaml", path / name)


def test_a_checkpoint_stands_for_itself_and_the_configuration_beside_it(folder):
    path = folder("a.pth", "b.pth")
    pair = path / "config.yaml", path / "b.pth"
    assert find_experiment(path / "b.pth") == pair
    assert find_experiment({"config": str(pair[0]), "model": str(pair[1])}) == pair
    with pytest.raises(ConfigError, match="c.pth: no such file"):
        find_experiment(path / "c.pth")
    with pytest.raises(ConfigError, match="teacher: expected {config: …yaml, model: "):
        find_experiment({"config": "x"})


def test_several_are_named_with_the_remedy(folder):
    path = folder("b.pth", "a.pth", "1epoch.pth")
    with pytest.raises(ConfigError) as caught:
        find_experiment(path)
    assert str(caught.value) == (
        f"{path}: expected one checkpoint (.pth), found a.pth, b.pth; "
        "link the one to use as train.loss.ave.pth"
    )


def test_what_training_resumes_from_is_no_model(folder):
    with pytest.raises(ConfigError, match="found none"):
        find_experiment(folder("checkpoint.pth"))


def test_a_single_epoch_serves_where_there_is_nothing_else(folder):
    """What `pack` makes of an average of one epoch, which is a link to it."""
    path = folder("12epoch.pth", "checkpoint.pth")
    assert find_experiment(path)[1] == path / "12epoch.pth"
    with pytest.raises(ConfigError, match="found 12epoch.pth, 3epoch.pth; link"):
        find_experiment(folder("3epoch.pth"))


def test_a_folder_without_a_configuration(tmp_path):
    with pytest.raises(ConfigError, match="no config.yaml in it"):
        find_experiment(tmp_path)


def test_a_dangling_link_is_no_checkpoint(folder):
    path = folder("best.pth")
    (path / "train.loss.ave.pth").symlink_to("removed.pth")
    assert find_experiment(path)[1] == path / "best.pth"


def test_find_model_prints_it(folder, capsys):
    path = folder("valid.loss.best.pth")
    assert cli.main(["find-model", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}/valid.loss.best.pth\n"
    assert cli.main(["find-model", str(path / "nobody")]) == 2
    assert capsys.readouterr().err == (
        f"espnet-distill find-model: error: {path}/nobody: no such experiment folder\n"
    )


def test_a_loaded_model_has_the_weights_and_is_in_eval_mode(teacher):
    config, checkpoint = find_experiment(teacher)
    model, args = load_experiment(config, checkpoint)
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
        load_experiment(teacher / "config.yaml", tmp_path / "bomb.pth")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [[1, 2], {"model": {}, "optimizers": []}, 3])
def test_other_files_of_torch_are_refused(teacher, tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(ConfigError) as caught:
        load_experiment(teacher / "config.yaml", tmp_path / "other.pth")
    assert "\n" not in str(caught.value)
