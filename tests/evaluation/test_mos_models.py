"""UTMOS and NISQA, with random weights: the trained ones require a download."""

import os

import numpy as np
import pytest
import torch
from joblib.externals.loky import get_reusable_executor

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics import mos_weights as weights
from espnet_distill.evaluation.metrics import registry as metrics
from espnet_distill.evaluation.metrics.mos import nisqa

from ..conftest import RATE, run_python
from .conftest import speechlike
from .test_evaluate import evaluate, refuse

NISQA = {  # the settings of NISQA 2
    "ms_n_fft": 4096,
    "ms_hop_length": 0.01,
    "ms_win_length": 0.02,
    "ms_n_mels": 48,
    "ms_fmax": 20000,
    "ms_seg_length": 15,
    "ms_seg_hop_length": 4,
    "ms_max_segments": 1300,
    "cnn_pool_1": [24, 7],
    "cnn_pool_2": [12, 5],
    "cnn_pool_3": [6, 3],
    "cnn_kernel_size": [3, 3],
    "cnn_c_out_1": 16,
    "cnn_c_out_2": 32,
    "cnn_c_out_3": 64,
    "cnn_dropout": 0.2,
    "td_sa_d_model": 64,
    "td_sa_nhead": 1,
    "td_sa_h": 64,
    "td_sa_num_layers": 2,
    "td_sa_dropout": 0.1,
    "pool_att_h": 128,
    "pool_att_dropout": 0.1,
}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home without weights, for this process and those that it starts."""
    pytest.importorskip("torchmetrics")
    from torchmetrics.functional.audio.nisqa import _load_nisqa_model

    get_reusable_executor().shutdown()
    _load_nisqa_model.cache_clear()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    yield tmp_path / "home"
    get_reusable_executor().shutdown()
    _load_nisqa_model.cache_clear()


@pytest.fixture
def nisqa_weights(home):
    from torchmetrics.functional.audio.nisqa import _NISQADIM, NISQA_DIR

    torch.manual_seed(0)
    network = _NISQADIM(NISQA)
    path = os.path.join(os.path.expanduser(NISQA_DIR), "nisqa.tar")
    os.makedirs(os.path.dirname(path))
    torch.save({"args": NISQA, "model_state_dict": network.state_dict()}, path)
    return path


def test_nisqa_is_that_of_torchmetrics(nisqa_weights):
    from torchmetrics.functional.audio.nisqa import (
        non_intrusive_speech_quality_assessment,
    )

    assert str(weights.nisqa()) == nisqa_weights
    wave = speechlike(0, seconds=1.5).astype(np.float32)
    found = non_intrusive_speech_quality_assessment(torch.from_numpy(wave), RATE)
    assert nisqa(wave, RATE) == found[0].item()


def test_waves_of_any_length_have_a_score(nisqa_weights):
    wave = speechlike(0, seconds=1.5).astype(np.float32)
    assert np.isfinite(nisqa(wave[:100], RATE))
    assert np.isfinite(nisqa(np.resize(wave, 60 * RATE), RATE))


def test_nisqa_is_a_further_column(recipe, nisqa_weights):
    evaluate(recipe, "--metrics", "nisqa")
    table = (recipe / "out" / "table.md").read_text()
    assert "| NISQA |" in table and " ΔNISQA [95 %] |" in table
    assert "DNSMOS" not in table.split("- Parameters")[0]


def test_nothing_is_fetched_while_measuring(recipe, home, capsys):
    refuse(recipe, "nisqa needs its weights: download", "--metrics", "nisqa")
    assert "nisqa" not in metrics.choose(None, None)
    assert "skipped: nisqa needs its weights: " in capsys.readouterr().err


CACHED = (
    "from espnet_distill.evaluation.metrics import mos_weights; "
    "print(mos_weights.utmos())"
)
FETCHED = "from utmos_pytorch.utils import download_utmos_ckpt as d; print(d())"


@pytest.fixture
def hub(tmp_path):
    """Hugging Face's cache, with what might be UTMOS's weights."""
    repository = tmp_path / "hub" / "models--Blinorot--UTMOS-PyTorch"
    for name, content in (
        ("refs/main", "abc"),
        ("snapshots/abc/utmos_state_dict.pt", ""),
    ):
        (repository / name).parent.mkdir(parents=True)
        (repository / name).write_text(content)
    return repository


def test_utmos_weights_are_found_in_the_cache(hub):
    environment = os.environ | {"HF_HUB_CACHE": str(hub.parent), "HF_HUB_OFFLINE": "1"}
    done = run_python("-c", CACHED, env=environment)
    file = hub / "snapshots/abc/utmos_state_dict.pt"
    assert done.stdout.strip() == str(file)
    file.unlink()
    assert run_python("-c", CACHED, env=environment).stdout.strip() == "None"


def test_utmos_cache_path_is_the_packages(hub):
    pytest.importorskip("utmos_pytorch")
    environment = os.environ | {"HF_HUB_CACHE": str(hub.parent), "HF_HUB_OFFLINE": "1"}
    found = [run_python("-c", one, env=environment).stdout for one in (CACHED, FETCHED)]
    assert found[0] == found[1] != "None\n"


def test_utmos_is_that_of_the_package(tmp_path, monkeypatch):
    package = pytest.importorskip("utmos_pytorch.utmos_torch")
    from espnet_distill.evaluation.metrics.mos import utmos

    torch.manual_seed(0)
    path = tmp_path / "utmos_state_dict.pt"
    torch.save(package.UTMOSModel().state_dict(), path)
    monkeypatch.setattr(weights, "utmos", lambda: path)
    wave = speechlike(0, seconds=1.5).astype(np.float32)
    found = package.UTMOSScoreTorch(str(path)).score(torch.from_numpy(wave))
    assert utmos(wave) == pytest.approx(found.item())
    assert np.isfinite(utmos(wave[:100]))


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(metrics.sys.modules, "utmos_pytorch", None)
    with pytest.raises(ConfigError, match="utmos_pytorch: pip install utmos-pytorch"):
        metrics.choose(["utmos"], None)
