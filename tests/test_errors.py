"""Near names: which known names an unknown one is taken for."""

import pytest

from espnet_distill.data.languages import G2P_LANGUAGES
from espnet_distill.errors import near_names


@pytest.mark.parametrize(
    "name, nearest",
    [
        ("espeak_ng_englsh", "espeak_ng_english_us_vits"),
        ("espeak_ng_germn", "espeak_ng_german"),
        ("pyopenjtalk_prosdy", "pyopenjtalk_prosody"),
        ("g2p_em", "g2p_en"),
        ("pyopenjtalk_accnt", "pyopenjtalk_accent"),
    ],
)
def test_the_beginning_of_a_long_name_is_near(name, nearest):
    assert near_names(name, G2P_LANGUAGES)[0] == nearest


def test_nothing_is_near():
    assert not near_names("xyz", G2P_LANGUAGES, cutoff=0.5)
