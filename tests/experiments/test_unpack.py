"""Unpack models into experiment folders."""

import hashlib
import shutil
import socket

import pytest
import torch
import yaml
from espnet2.main_funcs.pack_funcs import pack

from espnet_distill.cli import main as cli
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.archive import unpack
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.model_zoo import describe_fetched, is_tag

MODEL = "exp/tts_train/train.loss.ave.pth"


@pytest.fixture
def recipe(teacher, tmp_path, monkeypatch):
    """A recipe's folder with an experiment, whose statistics have relative paths."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(teacher, "exp/tts_train")
    config = tmp_path / "exp/tts_train/config.yaml"
    text = config.read_text()
    for line in text.splitlines():
        if "stats_file:" in line:
            source = line.split(": ")[1]
            name = "exp/" + source.rsplit("/", 1)[1]
            shutil.copy(source, name)
            text = text.replace(source, name)
    config.write_text(text)
    return tmp_path


@pytest.fixture
def archive(recipe):
    def archive():
        pack(
            {"model_file": "exp/tts_train/train.loss.ave.pth"},
            {"train_config": "exp/tts_train/config.yaml"},
            "packed.zip",
            [str(path.relative_to(recipe)) for path in recipe.glob("exp/*.npz")],
        )
        return recipe / "packed.zip"

    return archive


def weights(folder):
    return Experiment(folder).model.state_dict()


def test_unpacked_model_equals_the_packed_one(archive, recipe):
    expected = weights(recipe / "exp/tts_train")
    path = archive()
    shutil.rmtree(recipe / "exp")  # what it needs, statistics too, is in the archive
    folder = unpack(path, recipe / "new" / "out")
    found = weights(folder)
    assert list(found) == list(expected) and "normalize.mean" in found
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_archive_is_unpacked_again_only_if_it_has_changed(archive, recipe):
    folder = unpack(archive(), recipe / "out")
    (folder / "mark").touch()
    assert unpack(recipe / "packed.zip", recipe / "out") == folder
    assert (folder / "mark").exists()

    source = recipe / "exp/tts_train/train.loss.ave.pth"
    state = torch.load(source, weights_only=True)
    state["tts.feat_out.bias"] += 1
    torch.save(state, source)
    found = weights(unpack(archive(), recipe / "out"))
    assert torch.equal(found["tts.feat_out.bias"], state["tts.feat_out.bias"])


def test_unpack_does_not_overwrite_other_folders(archive, recipe):
    (recipe / "mine").mkdir()
    (recipe / "mine" / "thesis.tex").touch()
    with pytest.raises(ConfigError, match="mine: "):
        unpack(archive(), recipe / "mine")
    assert (recipe / "mine" / "thesis.tex").exists()


def test_broken_archives_leave_nothing_behind(archive, recipe):
    path = archive()
    content = path.read_bytes()
    for broken in (b"", content[: len(content) // 2], b"not a zip" * 99):
        path.write_bytes(broken)
        with pytest.raises(ConfigError) as caught:
            unpack(path, recipe / "out")
        assert str(caught.value).startswith(f"{path}: cannot be unpacked: ")
        assert "\n" not in str(caught.value)
        assert not (recipe / "out").exists()


def test_zip_is_accepted_as_an_experiment(archive, recipe, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(recipe / "cache"))
    expected = weights(recipe / "exp/tts_train")
    path = archive()
    found = Experiment(str(path)).model.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert Experiment(path).config_file.is_relative_to(recipe / "cache/espnet_distill")
    with pytest.raises(ConfigError, match="none.zip: no such packed model"):
        Experiment("none.zip")


def test_a_tag_goes_to_the_model_zoo(archive, recipe, monkeypatch):
    """The hub is replaced by a local file, loaded with espnet_model_zoo."""
    from espnet_model_zoo.downloader import ModelDownloader

    path = archive()
    monkeypatch.setenv("HOME", str(recipe / "home"))
    monkeypatch.setattr(ModelDownloader, "get_url", lambda *_, **__: str(path))
    expected = weights(recipe / "exp/tts_train")
    tag = "hub:someone/tiny_fastspeech2@v1"
    assert cli.main(["unpack", tag, "exp/pretrained"]) == 0  # as distill.sh does
    record = yaml.safe_load((recipe / "exp/pretrained/fetched.yaml").read_text())
    digest = hashlib.sha256((recipe / MODEL).read_bytes()).hexdigest()
    assert record == {
        "name": "someone/tiny_fastspeech2",
        "revision": "v1",
        "sha256": digest,
    }
    config = (recipe / "exp/pretrained/config.yaml").read_text()
    assert str(recipe / "exp/pretrained/feats_stats.npz") in config
    for experiment in (tag, "exp/pretrained"):
        found = weights(experiment)
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_unknown_tag_is_refused_in_one_line(recipe, monkeypatch):
    monkeypatch.setenv("HOME", str(recipe / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for tag in ("hub:nobody/nothing", "hub:nobody/nothing@v2"):
        with pytest.raises(ConfigError) as caught:
            Experiment(tag)
        message = str(caught.value)
        assert message.startswith(f"{tag}: espnet_model_zoo cannot fetch it (")
        assert "\n" not in message
    for tag in ("hub:", "hub:a", "hub:../a", "hub:a/b/c", "hub:a/b c", "hub:a/b@"):
        with pytest.raises(ConfigError, match=f"{tag}: is no tag; name hub:owner/mod"):
            Experiment(tag)
    with pytest.raises(ConfigError, match="exp/techer: no such experiment folder"):
        Experiment("exp/techer")


def refuse_network(*_, **__):
    raise AssertionError("the network was asked")


@pytest.mark.parametrize("name", ["exp/tts_teacher", "nobody/nothing"])
def test_missing_path_sends_no_request_to_the_hub(name, recipe, monkeypatch, capsys):
    """Not for a path in the form of a tag, either; the message has the form of tags."""
    monkeypatch.setattr(socket.socket, "connect", refuse_network)
    monkeypatch.setattr(socket, "getaddrinfo", refuse_network)
    assert cli.main(["teacher-config", name]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"{name}: no such experiment folder" in error
    is_recipes = name.startswith("exp/")
    assert ("name it hub:nobody/nothing" in error) != is_recipes


def test_names_of_the_zoos_table_are_tags():
    assert is_tag("kan-bayashi/ljspeech_vits") and is_tag("hub:someone/tiny")
    assert not is_tag("espnet/kan-bayashi_ljspeech_vits") and not is_tag("exp/tts")


def test_the_commit_of_the_hub_is_recorded(recipe):
    commit = "0123456789abcdef0123456789abcdef01234567"
    model = recipe / f"hub/models--a--b/snapshots/{commit}/exp/model.pth"
    assert describe_fetched("hub:a/b@v1", model) == {"name": "a/b", "revision": commit}


def test_the_command(archive, recipe, capsys):
    assert cli.main(["unpack", str(archive()), str(recipe / "out")]) == 0
    *_, folder = capsys.readouterr().out.splitlines()  # pack greets before
    assert Experiment(folder)
    assert cli.main(["unpack", str(recipe / "none.zip"), str(recipe / "out")]) == 2
    error = capsys.readouterr().err
    assert error.endswith(f"error: {recipe}/none.zip: no such packed model\n")
