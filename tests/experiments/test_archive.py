"""Untrusted packed models: fixed file names and a size limit."""

import zipfile

import pytest
import yaml

from espnet_distill.experiments.archive import require_limits, unpack
from espnet_distill.experiments.experiment import Experiment

from ..conftest import files

HOSTILE = "exp/$(touch PWNED)/`touch PWNED`;touch PWNED"
GIB = 2**30


def write_archive(path, teacher, statistics):
    """Pack a teacher whose file names are shell commands."""
    conf = yaml.safe_load((teacher / "config.yaml").read_text())
    sources = {"model.pth": teacher / "train.loss.ave.pth"}
    for key, source in statistics.items():
        sources[f"{key}.npz"] = source
        conf[key] = {"stats_file": f"{HOSTILE}/{key}.npz"}
    conf |= {"token_type": "bpe", "bpemodel": f"{HOSTILE}/bpe"}
    names = {"yaml_files": {"train_config": f"{HOSTILE}/config.yaml"}}
    names["files"] = {"model_file": f"{HOSTILE}/model.pth"}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("meta.yaml", yaml.safe_dump(names))
        archive.writestr(f"{HOSTILE}/config.yaml", yaml.safe_dump(conf))
        archive.writestr(f"{HOSTILE}/bpe", "pieces")
        archive.writestr(f"{HOSTILE}/spk2sid", "ann 1\n")
        archive.writestr(f"{HOSTILE}/run.sh", "touch PWNED")
        for name, source in sources.items():
            archive.write(source, f"{HOSTILE}/{name}")
    return path


def test_archive_member_names_are_not_used_as_paths(tmp_path, monkeypatch, teacher):
    monkeypatch.chdir(tmp_path)
    conf = yaml.safe_load((teacher / "config.yaml").read_text())
    statistics = {
        key: value["stats_file"]
        for key, value in conf.items()
        if key.endswith("normalize_conf")
    }
    archive = write_archive(tmp_path / "packed.zip", teacher, statistics)
    folder = unpack(archive, tmp_path / "out")
    own = ["bpe.model", "config.yaml", "energy_stats.npz", "feats_stats.npz"]
    own += ["model.pth", "pitch_stats.npz", "spk2sid", "unpacked_from"]
    assert files(folder) == own
    experiment = Experiment(folder)
    assert "PWNED" not in experiment.config_file.read_text()
    experiment.build()
    assert (folder / "spk2sid").read_text() == "ann 1\n"


def member(size, packed):
    one = zipfile.ZipInfo("model.pth")
    one.file_size, one.compress_size = size, packed
    return one


def test_zip_bomb_is_refused_and_a_large_model_is_not():
    require_limits([member(int(2.6 * GIB), int(2.4 * GIB))])
    require_limits([member(2**20, 1100)])
    with pytest.raises(ValueError, match="20.0 GiB unpacked, more than 16"):
        require_limits([member(10 * GIB, 9 * GIB)] * 2)
    with pytest.raises(ValueError, match="more than 200 times as many"):
        require_limits([member(3 * GIB, 3 * 2**20)])
