"""Values of an untrusted model are not passed to a shell."""

import shutil

import pytest
import yaml

from espnet_distill.cli import main as cli
from espnet_distill.errors import ConfigError
from espnet_distill.recipes.init import SCRIPT, init
from espnet_distill.recipes.shell_values import (
    espnet_choices,
    require_shell_value,
    require_word,
)

from ..conftest import files
from ..experiments.test_archive import write_archive
from .mini_an4 import copy_recipe, run
from .test_init import add_experiment

RUN = "$(touch PWNED)"
DATA = "_data_path_and_name_and_type"
ODD_NUMBERS = ["nan", "inf", "1e999", "1_0", "0x10", "\u0661", "1\n"]
HOSTILE = {  # of config.yaml, by what the line names
    "cleaner": {"cleaner": RUN},
    "g2p": {"g2p": f"g2p_en{RUN}"},
    "token_type": {"token_type": "char`touch PWNED`"},
    "feats_extract_conf.fs": {"feats_extract_conf": {"fs": f"22050;{RUN}"}},
    "feats_extract_conf.win_length": {"feats_extract_conf": {"win_length": [RUN]}},
    "feats_extract_conf.fmax": {"feats_extract_conf": {"fmax": float("inf")}},
    "pitch_extract_conf.f0min": {"pitch_extract_conf": {"f0min": "80\ntouch PWNED"}},
}


def change(folder, changes):
    config = folder / "config.yaml"
    conf = yaml.safe_load(config.read_text())
    for key, value in changes.items():
        conf[key] = (conf.get(key) or {}) | value if isinstance(value, dict) else value
    config.write_text(yaml.safe_dump(conf))
    return folder


@pytest.mark.parametrize("key", HOSTILE)
def test_teacher_config_and_init_refuse_special_characters(
    key, teacher, tmp_path, capsys
):
    """A line that names the file and the key, and nothing for a shell."""
    hostile = change(shutil.copytree(teacher, tmp_path / "teacher"), HOSTILE[key])
    assert cli.main(["teacher-config", str(hostile)]) == 2
    for name in ("tts.sh", "path.sh", "cmd.sh"):
        (tmp_path / name).touch()
    change(add_experiment(tmp_path, "tts_train", "fastspeech2", 1e9), HOSTILE[key])
    assert cli.main(["init", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 2
    assert all(f"config.yaml: {key}: " in line for line in err.splitlines())
    assert not (tmp_path / SCRIPT).exists()


@pytest.mark.parametrize(
    "changes",
    [
        {f"train{DATA}": [[f"dump/raw/{RUN}/text", "text", "text"]]},
        {f"valid{DATA}": [["raw/a b/text", "text", "text"]]},
        {f"train{DATA}": [["dump/`id`.scp", "spembs", "npy"]]},
        {"token_type": "bpe", "bpemodel": f"data/{RUN}/bpe.model"},
    ],
    ids=["set", "set with a space", "embedding", "sentencepiece model"],
)
def test_init_refuses_names_of_a_model(changes, tmp_path):
    for name in ("tts.sh", "path.sh", "cmd.sh"):
        (tmp_path / name).touch()
    change(add_experiment(tmp_path, "tts_train", "fastspeech2", 1e9), changes)
    with pytest.raises(ConfigError, match=r"config\.yaml: .* rename it") as caught:
        init(tmp_path)
    assert "\n" not in str(caught.value) and not (tmp_path / SCRIPT).exists()


def test_no_name_becomes_a_line_of_the_script(tmp_path):
    """Experiments that are unsupported as teachers are named in comments only."""
    for name in ("tts.sh", "path.sh", "cmd.sh"):
        (tmp_path / name).touch()
    add_experiment(tmp_path, "tts_a", "vits\ntouch PWNED", 1e9)
    add_experiment(tmp_path, "tts_b", ["vits"], 1e9)
    init(tmp_path)
    assert "PWNED" not in (tmp_path / SCRIPT).read_text()
    (tmp_path / SCRIPT).unlink()
    add_experiment(tmp_path, "tts_c\ntouch PWNED", "vits", 1e9)
    with pytest.raises(ConfigError, match="which a shell reads; rename it"):
        init(tmp_path)


def test_init_omits_options_with_special_characters(tmp_path):
    for name in ("tts.sh", "path.sh", "cmd.sh"):
        (tmp_path / name).touch()
    call = "./tts.sh --fs 24000 --cleaner 'a;b' --train_set 'a&b' --test_sets 'c d'\n"
    (tmp_path / "run.sh").write_text(call)
    init(tmp_path)
    script = (tmp_path / SCRIPT).read_text()
    assert "--fs 24000" in script and "--test_sets 'c d'" in script
    assert "a;b" not in script and "a&b" not in script
    assert "# PLACEHOLDER: run.sh does not determine --train_set" in script


def test_every_choice_of_espnets_passes():
    for option, choices in espnet_choices().items():
        assert len(choices) > 3
        for choice in choices:
            require_shell_value(option, str(choice), option)
    for value in ("22050", "0", "7600.0", "1e3", "null", "none"):
        require_shell_value("fmax", value, "fmax")


@pytest.mark.parametrize("value", ODD_NUMBERS)
def test_numbers_are_finite_and_plain(value):
    with pytest.raises(ConfigError, match="is no finite number"):
        require_shell_value("fs", value, "fs")


def test_word_has_no_spaces():
    assert require_word("train_nodev", "set") == "train_nodev"
    for text in ("a b", "-a", "--a"):
        with pytest.raises(ConfigError, match="is no single word"):
            require_word(text, "set")


def test_a_recipe_runs_nothing_of_a_hostile_teacher(teacher, tmp_path):
    recipe = copy_recipe(tmp_path)
    change(shutil.copytree(teacher, recipe / "exp/hostile"), HOSTILE["cleaner"])
    done = run(recipe, "--train_teacher", "false", "--teacher", "exp/hostile")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"exp/hostile/config.yaml: cleaner: '{RUN}' is none of" in done.stderr
    assert not [name for name in files(tmp_path) if "PWNED" in name]


def test_a_recipe_runs_nothing_of_a_hostile_archive(teacher, tmp_path):
    """Member names are shell commands; the folder name with spaces is accepted."""
    recipe = copy_recipe(tmp_path)
    (tmp_path / "a model").mkdir()
    archive = write_archive(tmp_path / "a model/packed.zip", teacher, {})
    options = ["--train_teacher", "false", "--teacher", archive, "--token_type", "bpe"]
    done = run(recipe, *options, "--stage", 1, "--stop_stage", 0)
    assert done.returncode == 0, done.stderr
    assert (recipe / "exp/teacher_model").read_text() == "exp/pretrained/model.pth\n"
    assert not [name for name in files(tmp_path) if "PWNED" in name]
