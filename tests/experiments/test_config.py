"""Values of wrong types in ESPnet configurations."""

import math

import pytest

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.config import require_kinds

from ..conftest import model_config

DATA = [["dump/raw/tr/text", "text", "text"]]


def test_configurations_written_by_espnet_pass():
    require_kinds(model_config(train_data_path_and_name_and_type=DATA, odim=None))
    require_kinds(model_config(token_list="tokens.txt", tts_conf={"spks": None}))


@pytest.mark.parametrize(
    "key, value, line",
    [
        ("tts", ["vits"], "tts: expected text, got ['vits']"),
        ("g2p", 7, "g2p: expected text, got 7"),
        ("odim", math.inf, "odim: expected a whole number of at least 1, got inf"),
        ("token_list", {}, "token_list: expected a list, got {}"),
        ("token_list", ["a", 7], "token_list: token 1: expected text, got 7; quote it"),
        ("tts_conf", [8], "tts_conf: expected keys and values, got [8]"),
        ("tts_conf", {8: 8}, "tts_conf: the key 8 is no text; quote it"),
        ("tts_conf", {"spks": "x"}, "tts_conf.spks: expected a number, got 'x'"),
        (
            "tts_conf",
            {"reduction_factor": 0},
            "tts_conf.reduction_factor: expected a whole number of at least 1, got 0",
        ),
        (
            "normalize_conf",
            {"stats_file": [1]},
            "normalize_conf.stats_file: expected text, got [1]",
        ),
        (
            "train_data_path_and_name_and_type",
            [["text", "text"]],
            "train_data_path_and_name_and_type[0]: expected path, name and type, got "
            "['text', 'text']",
        ),
    ],
)
def test_value_of_wrong_type_is_refused(key, value, line):
    with pytest.raises(ConfigError) as caught:
        require_kinds(model_config() | {key: value}, "config.yaml: ")
    assert caught.value.faults == [f"config.yaml: {line}"]
