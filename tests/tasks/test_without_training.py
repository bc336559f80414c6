"""Statistics and dry runs build the student's model, with no teacher or callback."""

import numpy as np
import pytest
import yaml

from espnet_distill.tasks.text2mel import DistillTTSTask

from ..conftest import MEASURES, model_config
from ..teachers.text_to_wave_models import jets, joint


@pytest.fixture(params=["absent", "broken"])
def config(request, corpus, tmp_path):
    """A configuration whose teacher could not be loaded."""
    teacher = tmp_path / "teacher"
    if request.param == "broken":
        teacher.mkdir()
        (teacher / "config.yaml").write_text("tts: {")
        (teacher / "train.loss.ave.pth").write_bytes(b"PK\3\4")
    config = model_config(
        token_list=str(corpus.token_list),
        teacher=[str(teacher)],
        distill_conf={"objectives": [{"type": "hidden", "tap": "encoder"}]},
        callbacks=[{"type": "prune", "pressure": 0.5, "end": 3, "exclude": ["none"]}],
    )
    path = tmp_path / "train.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def test_statistics_are_those_of_stock_espnet(corpus, config, tmp_path):
    corpus.collect_stats(DistillTTSTask, config, tmp_path / "stats")
    for measure in MEASURES:
        ours = np.load(tmp_path / "stats" / "train" / f"{measure}_stats.npz")
        stock = np.load(corpus.stats(measure))
        assert set(ours) == set(stock) != set()
        assert all(np.array_equal(ours[name], stock[name]) for name in stock)
    assert not (tmp_path / "stats" / "distill.yaml").exists()


def test_a_dry_run_writes_the_stock_configuration(corpus, config, tmp_path):
    command = corpus.training(config, tmp_path / "exp")
    DistillTTSTask.main(cmd=[*command, "--dry_run", "true"])
    written = yaml.safe_load((tmp_path / "exp" / "config.yaml").read_text())
    assert written["tts"] == "fastspeech2"
    assert not {"teacher", "distill_conf", "callbacks"} & set(written)
    assert not (tmp_path / "exp" / "distill.yaml").exists()


@pytest.mark.parametrize("model", [jets(), joint()], ids=["jets", "joint"])
def test_a_dry_run_of_a_model_that_is_given_pitch_and_energy(model, tmp_path):
    """JETS and JointText2Wav pass them on to their parts."""
    extractors = ("pitch_extract", "energy_extract")
    keys = [key for name in extractors for key in (name, f"{name}_conf")]
    config = model_config(**model) | {key: model_config()[key] for key in keys}
    path = tmp_path / "train.yaml"
    path.write_text(yaml.safe_dump(config))
    command = ["--config", str(path), "--output_dir", str(tmp_path / "exp")]
    DistillTTSTask.main(cmd=[*command, "--dry_run", "true"])
    written = yaml.safe_load((tmp_path / "exp" / "config.yaml").read_text())
    assert all(written[name] == config[name] for name in extractors)


def test_a_dry_run_without_data_asks_for_no_speakers(corpus, tmp_path):
    conf = model_config(token_list=str(corpus.token_list))
    conf["tts_conf"] |= {"spks": 3}
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(conf))
    command = ["--config", str(tmp_path / "train.yaml"), "--dry_run", "true"]
    DistillTTSTask.main(cmd=[*command, "--output_dir", str(tmp_path / "exp")])
    written = yaml.safe_load((tmp_path / "exp" / "config.yaml").read_text())
    assert written["tts_conf"]["spks"] == 3
