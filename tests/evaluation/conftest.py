"""Tiny FastSpeech2 experiments with random weights, made by stock ESPnet."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ..conftest import RATE, make_experiment

ARCHITECTURE = {"elayers": 1, "dlayers": 1, "postnet_layers": 0, "aheads": 2}
SIZES = {
    "teacher": {"adim": 32, "eunits": 64, "dunits": 64},
    "student": {"adim": 8, "eunits": 16, "dunits": 16},
}
TEXTS = {
    "utt_a": "ten",
    "utt_b": "a short sentence",
    "utt_c": "a sentence that is a little longer",
}


@pytest.fixture(scope="session")
def experiments(tmp_path_factory):
    root = tmp_path_factory.mktemp("exp")
    return {
        name: make_experiment(root / name, tts_conf=ARCHITECTURE | size)
        for name, size in SIZES.items()
    }


@pytest.fixture(scope="session")
def systems(experiments):
    from espnet2.bin.tts_inference import Text2Speech

    return {
        name: Text2Speech(folder / "config.yaml", folder / "train.loss.ave.pth")
        for name, folder in experiments.items()
    }


def speechlike(seed, seconds=0.8):
    """A gliding harmonic tone with a little noise, (samples,) in [-1, 1]."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * (110 + 10 * seed) * (time + 0.3 * time**2)
    wave = sum(np.sin(k * phase) / k for k in range(1, 20))
    wave = wave * np.hanning(len(time)) + 0.01 * rng.standard_normal(len(time))
    return 0.5 * wave / np.abs(wave).max()


@pytest.fixture
def recipe(tmp_path, experiments):
    """A recipe folder after stage 8: exp/{teacher,student}/decode/eval, data/eval."""
    data = tmp_path / "data" / "eval"
    data.mkdir(parents=True)
    (data / "text").write_text("".join(f"{u} {t}\n" for u, t in TEXTS.items()))
    (data / "front_end.yaml").write_text("language: en\n")
    scp = []
    for seed, utt in enumerate(TEXTS):
        wave = speechlike(seed)
        soundfile.write(data / f"{utt}.flac", wave, RATE)
        scp.append(f"{utt} {data / utt}.flac\n")
        for shift, (name, source) in enumerate(experiments.items(), start=1):
            folder = tmp_path / "exp" / name
            folder.mkdir(parents=True, exist_ok=True)
            for file in ("config.yaml", "train.loss.ave.pth"):
                (folder / file).exists() or os.symlink(source / file, folder / file)
            wavs = folder / "decode" / "eval" / "wav"
            wavs.mkdir(parents=True, exist_ok=True)
            soundfile.write(wavs / f"{utt}.wav", speechlike(seed + shift), RATE)
    (data / "wav.scp").write_text("".join(scp))
    return tmp_path


@pytest.fixture(scope="session")
def kathleen():
    default = Path(__file__).parents[3] / "shared"
    shared = Path(os.environ.get("ESPNET_DISTILL_SHARED", default))
    folder = shared / "corpora" / "kathleen"
    if not folder.is_dir():
        pytest.skip(f"no real speech in {folder}")
    return folder
