"""Configurations from which no text front end can be built."""

from argparse import Namespace

import pytest

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.text_frontend import KEYS, build_front_end


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_missing(key):
    values = {name: None for name in KEYS if name != key}
    with pytest.raises(ConfigError, match=f"exp: {key}: missing; copy config.yaml"):
        build_front_end(Namespace(**values), "exp")
