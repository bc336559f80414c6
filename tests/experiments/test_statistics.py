"""Valid and invalid statistics of GlobalMVN."""

import numpy as np
import pytest
from espnet2.layers.global_mvn import GlobalMVN

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.statistics import require_statistics

from ..conftest import global_mvn

MEANS, SQUARES = np.array([1.0, -2.0, 3.0]), np.array([4.0, 8.0, 10.0])
GOOD = {"count": np.array(10), "sum": 10 * MEANS, "sum_square": 10 * SQUARES}


def conf(path):
    return global_mvn(feats=path)


def test_both_formats_that_stock_espnet_reads_pass(tmp_path):
    np.savez(tmp_path / "new.npz", **GOOD)
    kaldi = np.stack([[*GOOD["sum"], 10], [*GOOD["sum_square"], 0]])
    np.save(tmp_path / "kaldi.npy", kaldi)
    for name in ("new.npz", "kaldi.npy"):
        require_statistics(conf(tmp_path / name))
        mean = GlobalMVN(tmp_path / name).mean
        np.testing.assert_allclose(mean.numpy(), MEANS)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"sum": np.array([np.nan, 1, 1])}, "NaN or infinity in sum;"),
        ({"sum_square": np.array([np.inf, 1, 1])}, "NaN or infinity in sum_square;"),
        ({"count": np.array(np.nan)}, "NaN or infinity in count;"),
        ({"count": np.array(0)}, "a count of 0 frames;"),
        ({"count": np.array(-10)}, "a count of -10 frames;"),
        ({"sum_square": 10 * MEANS**2}, "the variance of dimension 0 is not above 0"),
        ({"sum_square": 10 * SQUARES * [1, 0.1, 1]}, "the variance of dimension 1 is"),
        ({"sum_square": np.ones(2)}, "not statistics of features"),
        ({"sum": np.array(["a"]), "sum_square": np.array(["b"])}, "not statistics"),
    ],
)
def test_invalid_statistics_are_refused(changes, message, tmp_path):
    path = tmp_path / "stats.npz"
    np.savez(path, **GOOD | changes)
    with pytest.raises(ConfigError) as caught:
        require_statistics(conf(path), "config.yaml: ")
    line = str(caught.value)
    assert line.startswith(f"config.yaml: normalize_conf.stats_file: {path}: ")
    assert (
        message in line and "collect the statistics again" in line and "\n" not in line
    )


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04", b"\x93NUMPY"])
def test_files_without_statistics_are_refused(content, tmp_path):
    path = tmp_path / "stats.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="no such file|not statistics of features"):
        require_statistics(conf(path))


def test_pickles_are_not_loaded(tmp_path):
    path = tmp_path / "stats.npz"
    np.savez(path, **GOOD | {"sum": np.array([{}], dtype=object)})
    with pytest.raises(ConfigError, match="not statistics of features"):
        require_statistics(conf(path))
