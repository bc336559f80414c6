"""The voices of this repository, through the runtime."""

from pathlib import Path

import numpy as np
import pytest

from espnet_distill.voice import Voice

VOICES = sorted((Path(__file__).parents[2] / "voices").iterdir())
pytest.importorskip("espeakng_loader")


@pytest.mark.parametrize("folder", VOICES, ids=[folder.name for folder in VOICES])
def test_a_voice_synthesizes_text(folder):
    voice = Voice(folder)
    wave = voice.synthesize("It costs $5.20.")
    assert 1 < len(wave) / voice.sample_rate < 4
    assert 0.1 < np.abs(wave).max() <= 1


@pytest.mark.parametrize("folder", VOICES, ids=[folder.name for folder in VOICES])
def test_a_voice_is_small(folder):
    assert sum(path.stat().st_size for path in folder.iterdir()) < 6e6
