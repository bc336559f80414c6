"""Voices with a weak fundamental."""

import numpy as np
import pytest
import soundfile
import torch

from espnet_distill.bin.dump_waves import F0Extractor
from espnet_distill.data.f0_range import measure_f0_range
from espnet_distill.data.fundamental import has_weak_fundamental

from ..conftest import STFT

RATE, HERTZ = 22050, 84


@pytest.fixture(params=[0, -40], ids=["whole", "filtered"])
def recordings(request, tmp_path):
    """Glides around 84 Hz, and the level in dB of their fundamental."""
    time = np.arange(RATE) / RATE
    for number in range(12):
        phase = 2 * np.pi * HERTZ * (time + 0.01 * np.sin(2 * np.pi * (time + number)))
        level = 10 ** (request.param / 20)
        wave = sum(np.sin(k * phase) / k for k in range(2, 12)) + level * np.sin(phase)
        soundfile.write(tmp_path / f"{number:02}.wav", 0.2 * wave, RATE)
    return request.param, sorted(tmp_path.iterdir())


def test_a_weak_fundamental_is_found(recordings):
    level, paths = recordings
    assert has_weak_fundamental(paths) == (level < 0)
    lowest, highest = measure_f0_range(paths)
    assert lowest <= 0.75 * HERTZ and HERTZ < highest < 2 * HERTZ


def test_f0_of_frames_is_the_fundamental(recordings):
    _, paths = recordings
    mels = {**STFT, "fs": RATE}
    pitch = F0Extractor(mels, {"f0min": 50, "f0max": 400}, map(str, paths))
    wave, _ = soundfile.read(paths[0], dtype="float32")
    f0 = pitch(torch.from_numpy(wave), len(wave) // STFT["hop_length"])
    assert abs(np.median(f0[f0 > 0]) - HERTZ) < 3
